/** One credential request, start to finish. Read this file first. */
import type { Approval } from './domain/approval.ts'
import { type Chain, chainAskedAbout, chainOf } from './domain/chain.ts'
import { type Decision, type Deny, type Settled, type Spent, stopped } from './domain/decision.ts'
import type { LedgerEntry } from './domain/entry.ts'
import type { Broker, Decider, Deciding, Delivering, OfSession } from './domain/ports.ts'
import { BrokerError } from './domain/problems.ts'
import { questionOf } from './domain/question.ts'
import type { Act, CredentialRequest } from './domain/request.ts'
import { recalled, remembered, toldOf } from './domain/ruling.ts'

/** A credential request, first half: may they? */
export function createDecider(parts: Deciding): Decider {
  const { identity, consents, delegations, approvals, pdp, revocation, budgets, ledger } = parts

  const behind = (of: OfSession) => Promise.all([consents.behind(of), delegations.behind(of)])

  /** Everything that is thought before anything is written: the same for asking and for trying. */
  async function consider(chain: Chain, request: CredentialRequest): Promise<Decision> {
    // What exactly? A declared tool, arguments that fit its schema, facts computed from them.
    const call = pdp.read(request)

    // Has a person said yes to exactly this? An approval is an input to the PDP, not a way past it.
    const approval = await approvals.fitting(request.approval, chain, call)

    // May they? Every principal of the chain must. The justification is not in the question.
    return await pdp.decide(chain, questionOf(chain, call, approval))
  }

  return {
    async decide(presented, read) {
      // Who is calling? Established from the session, and the DPoP proof over this very body. What the
      // session stands on is read meanwhile, and told to nobody who showed that proof before.
      const { instance, reading } = await identity.authenticateWith(presented, behind)

      // What do they ask? Their bytes are read only now. Asked before, it is answered as before.
      const request = read()
      const key = identity.requestKey(instance, presented)
      const earlier = await ledger.find(key)
      if (earlier) return recalled(earlier)

      // On whose behalf, and through whom? Each hop may be narrower than the one above, never wider.
      const chain = chainOf(...(await reading), instance)
      let decision: Decision
      try {
        decision = await consider(chain, request)
      } catch (refusal) {
        // A yes that is used up may be so by this very request, which came twice: its answer is there then.
        const meanwhile = isUsedUp(refusal) ? await ledger.find(key) : null
        if (meanwhile) return recalled(meanwhile)
        throw refusal
      }

      // Write the answer down and spend what it spends, as one act. No ledger, no credential.
      const act = identity.actOf(instance, presented)
      const recorded = await ledger.record(key, async (tx) => {
        const { stop, epoch, debited } = await revocation.debitInForce(tx, decision)
        const outcome = stop ?? budgets.spentOf(decision, debited)
        const final = isDenial(outcome) ? stopped(decision, outcome) : decision
        const spent = isDenial(outcome) ? [] : outcome
        await approvals.spend(tx, final)
        const asked = await approvals.openIfAsked(tx, final, request.justification)
        const settled = { decision: final, revocationEpoch: epoch, spent, asked }
        const answer = remembered(toldOf(settled))
        return {
          entries: entriesOf(act, settled, request, asked?.opened),
          value: settled,
          answer,
        }
      })

      // Only what is on record is signed, and only what is signed is redeemed.
      return await pdp.rule(recorded)
    },

    async explain(presented, read) {
      const { instance, reading } = await identity.authenticateWith(presented, behind)
      const request = read()
      const chain = chainOf(...(await reading), instance)
      return await wouldBe(chain, request, identity.actOf(instance, presented), 'explained')
    },

    async evaluate(act, { agent, consent, delegation, request }) {
      const delegated = await delegations.received(delegation, agent)
      const standing = await consents.standing(consent, delegated?.hops[0].agent ?? agent)
      const chain = chainAskedAbout(standing, delegated)
      return await wouldBe(chain, request, act, 'decision')
    },
  }

  /** The live answer, looked at and put on record, with nothing spent, opened or issued. */
  async function wouldBe(
    chain: Chain,
    request: CredentialRequest,
    act: Act,
    type: 'explained' | 'decision',
  ): Promise<Settled> {
    const decision = await consider(chain, request)
    const recorded = await ledger.record(null, async (tx) => {
      const { stop, epoch } = await revocation.inForce(tx, decision)
      const short = stop ?? (await budgets.short(tx, decision))
      const final = short ? stopped(decision, short) : decision
      await approvals.checkUnused(tx, final)
      const settled = { decision: final, revocationEpoch: epoch, spent: [], asked: null }
      return { entries: [{ type, act, settled }], value: settled, answer: null }
    })
    return recorded.value
  }
}

/** Second half: make it. It begins with a signature, and asks no questions. */
export function createBroker(decide: Decider['decide'], { cdp, ledger }: Delivering): Broker {
  return {
    async requestCredential(presented, read) {
      const ruling = await decide(presented, read)
      if (ruling.kind === 'ask' || ruling.kind === 'deny') return ruling
      if (ruling.kind === 'repeat') {
        const lease = await cdp.find(ruling.credential, ruling.decision)
        return { kind: 'issued', lease, credential: null }
      }

      // Redeem it, once: the lease is committed, with the name the credential will have out there.
      const intent = await cdp.redeem(ruling.signed, presented)
      try {
        const made = await cdp.mint(intent)
        const recorded = await ledger.record(null, async (tx) => {
          const lease = await cdp.activate(tx, intent, made)
          const issuance = cdp.issuance(intent, made, presented)
          return { entries: [issuance], value: lease, answer: null }
        })
        const lease = { ...recorded.value, eventId: recorded.eventId }
        return { kind: 'issued', lease, credential: made }
      } catch (cause) {
        // Something may be alive out there that is not on record. Whatever it is, it is taken back.
        await cdp.takeBack(intent, cause)
        throw cause
      }
    },
  }
}

const isUsedUp = (it: unknown) => it instanceof BrokerError && it.code === 'approval_consumed'

function isDenial(outcome: Deny | readonly Spent[]): outcome is Deny {
  return 'kind' in outcome
}

function entriesOf(
  act: Act,
  settled: Settled,
  { justification }: CredentialRequest,
  opened: Approval | null | undefined,
): LedgerEntry[] {
  const quoted = { fields: ['justification'], payload: { justification: justification ?? '' } }
  const sealed = justification === undefined ? {} : { sealed: quoted }
  const decision: LedgerEntry = { type: 'decision', act, settled, ...sealed }
  if (!opened) return [decision]
  return [decision, { type: 'approval_requested', act, settled, approval: opened }]
}
