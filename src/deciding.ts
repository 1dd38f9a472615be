/** The deciding side, made from its slice: who says yes or no, and all that people register. */
import { createApprovals } from './approvals/approvals.ts'
import { createDecider } from './broker.ts'
import { createBudgets } from './budgets/budgets.ts'
import { rootKeysIn } from './chain/keys.ts'
import { createConsents } from './consent/consents.ts'
import { createDelegations } from './delegation/delegations.ts'
import { createChains } from './delegation/reading.ts'
import { introspect, mintedFor } from './delivery/minted.ts'
import type { ProvenService } from './domain/person.ts'
import { bySystem } from './domain/request.ts'
import { createIdentity } from './identity/authenticate.ts'
import { createNonces } from './identity/nonce.ts'
import { vkeyOf } from './ledger/checkpoint.ts'
import { createLog, type LogOptions } from './ledger/log.ts'
import { openLog } from './ledger/opening.ts'
import { createReader } from './ledger/reader.ts'
import { createRefusals } from './ledger/refusals.ts'
import { pruneKeys } from './ledger/request-keys.ts'
import { createSealer } from './ledger/sealed.ts'
import { createSigner } from './ledger/signer.ts'
import { createPdp } from './policy/pdp.ts'
import { createRevocation } from './revocation/revocation.ts'
import type { Decoys } from './revocation/decoys.ts'
import type { Tripped, Tripping } from './revocation/tripping.ts'
import { lookAt } from './key-renewal.ts'
import { createTokenRevoker } from './revoking.ts'
import { watchUsable } from './token.ts'
import { createWatchedDecider } from './watching.ts'
import type { Half, Shared } from './house.ts'
import type { PdpSlices } from './slices.ts'

const CONSENT_DAYS_MAX = 90
const SIGN_IN_SECONDS_MAX = 8 * 3600
const OPEN_APPROVALS_MAX = 50

export type Deciding = Awaited<ReturnType<typeof createDeciding>>

/**
 * @param onStopped told of every stop and freeze, when it is on record
 * @throws Error when an issuer or a service cannot be used as it is configured
 */
export async function createDeciding(slices: PdpSlices, shared: Shared, onStopped: () => void) {
  const { config, issuer, keys, pools, clock } = slices
  const { tenant } = config
  const books = createBooks(slices, shared)
  const { ledgers } = books
  const thinking = await createThinking(slices, shared, books)
  const { approvals, identity, pdp } = thinking
  const revocation = createRevocation({
    ...{ tenant, pool: pools.front, ledger: ledgers.front, onStopped },
    onTripped: alarm(slices, shared),
    // Whatever rules are in force, or none: what was taken out of them may be held back as well.
    cancel: (tx, ids, act) => approvals.cancelAll(tx, ids, act),
  })
  const counted: typeof pdp.rule = (recorded) => {
    const { answer, evaluator } = recorded.value.decision
    shared.metrics.count('procura_decisions_total', { answer: answer.kind, evaluator })
    return pdp.rule(recorded)
  }
  const unwatched = createDecider({
    ...{ ...thinking, revocation, ledger: ledgers.pdp, pdp: { ...pdp, rule: counted } },
  })
  const decider = createWatchedDecider(unwatched, (decision) => revocation.trip(decision))
  // Of what was minted it sees the public half of a key, and rows that hold no secret.
  const minted = { tenant, pool: pools.front, credentials: { issuer, keys: keys.credentials } }
  const revokeShown = createTokenRevoker({
    ...{ identity, revocation, clock, mintedFor: (of, token) => mintedFor(minted, of, token) },
    roots: { issuer, keys: keys.roots },
  })
  const { sessions, decisions } = keys
  const areKeysThere = watchUsable(
    () => lookAt({ sessions, decisions }),
    (error) => {
      shared.report('a key of this side cannot be used', error)
    },
  )
  return {
    areKeysThere,
    ...{ ...thinking, ...books, decider, revocation: { ...revocation, revokeShown } },
    introspect: (service: ProvenService, token: string) => introspect(minted, service, token),
    half: halfOf(slices, shared, { ...thinking, ...books, revocation }),
  }
}

type Books = ReturnType<typeof createBooks>
type Thinking = Awaited<ReturnType<typeof createThinking>>

/** The ledger as this side writes it, its reader and its signer. */
function createBooks({ config, issuer, keys, pools, clock }: PdpSlices, shared: Shared) {
  const { line, report } = shared
  const { tenant, checkpointsFile: file } = config
  const sealer = createSealer(keys.seal)
  const ledgerOf = (side: 'front' | 'pdp', door: LogOptions['door']) =>
    createLog({ tenant, pool: pools[side], door, sealer, line })
  const ledgers = {
    front: ledgerOf('front', 'append_registered'),
    pdp: ledgerOf('pdp', 'append_decided'),
  }
  // The log's name is the issuer's host and port, and where it is served.
  const origin = `${new URL(issuer).host}/v1/ledger`
  const { privateKey: key, publicKey } = keys.ledger
  return {
    ...{ ledgers, sealer, ledgerKey: { origin, vkey: vkeyOf(origin, publicKey) } },
    signer: createSigner({ tenant, pool: pools.signer, origin, key, file, clock }),
    reader: createReader({ tenant, pool: pools.front, sealer }),
    refusals: createRefusals({ ledger: ledgers.front, clock, report }),
  }
}

async function createThinking(slices: PdpSlices, shared: Shared, books: Books) {
  const { metrics, report } = shared
  const { ledgers, sealer, reader } = books
  const { config, issuer, keys, pools, clock } = slices
  const { tenant } = config
  const pdp = await createPdp({
    ...{ tenant, pool: pools.pdp, ledger: ledgers.front, report, meter: metrics },
    evaluator: config.policyEvaluator,
    signer: { issuer, keys: keys.decisions },
  })
  const budgets = createBudgets({ tenant, pool: pools.pdp })
  const evidence = { issuer, keys: keys.evidence }
  const front = { tenant, pools, ledger: ledgers.front, signer: evidence }
  const consents = createConsents({ ...front, ...pdp, ...budgets, daysMax: CONSENT_DAYS_MAX })
  const approvals = createApprovals({
    ...{ ...front, signInAgeMax: SIGN_IN_SECONDS_MAX, openMax: OPEN_APPROVALS_MAX },
  })
  const delegations = createDelegations({
    ...{ tenant, issuer, pools, ledger: ledgers.front, secondsMax: config.rootSecondsMax },
    sealer,
    signer: { issuer, keys: keys.roots },
    isPurpose: (purpose) => pdp.isPurpose(purpose),
    mayDelegate: (hop, now) => pdp.mayDelegate(hop, now),
    balances: (account) => budgets.balances(account),
    openAccounts: (tx, account, bounds) => budgets.openAccounts(tx, account, bounds),
  })
  const chains = createChains({
    ...{ tenant, issuer, pool: pools.front, sealer, evidence },
    rootKeys: rootKeysIn(keys.roots),
    isPurpose: (purpose) => pdp.isPurpose(purpose),
    consentFor: (person, id) => consents.find(person, id),
    entryOf: (event) => reader.entryOf(event),
  })
  const identity = createIdentity({
    ...{ tenant, issuer, pool: pools.front, ledger: ledgers.front, clock, ...config.trust },
    sessionKeys: keys.sessions,
    nonces: createNonces(keys.nonce, config.dpopNonce === 'required'),
    consentsOf: (agent, named) => consents.ofAgent(agent, named),
    chains: delegations,
    openAccounts: (tx, account, bounds) => budgets.openAccounts(tx, account, bounds),
  })
  return { pdp, budgets, consents, delegations, chains, approvals, identity }
}

/** For whoever is on call: the one line that is always worth getting up for. */
function alarm({ log }: PdpSlices, { metrics }: Shared) {
  return ({ kind, ...who }: Tripped) => {
    log.error({ kind, ...who }, ALARMS[kind])
    metrics.count('procura_canaries_tripped_total', { kind })
  }
}

const ALARMS = {
  tool: 'a canary was touched: what touched it was stopped',
  credential: 'a decoy was shown: whoever held it is frozen',
} as const satisfies Record<Tripped['kind'], string>

type Halved = Books & Thinking & { readonly revocation: Tripping & Decoys }

function halfOf({ config, pools }: PdpSlices, shared: Shared, parts: Halved): Half {
  const { tenant, policiesDir } = config
  const { signer, refusals, identity, approvals, ledgers, ledgerKey, pdp, revocation } = parts
  return {
    chores: [
      { name: 'sign checkpoints', everyMs: 1000, work: () => signer.signOnce() },
      { name: 'stop who touched a canary', everyMs: 1000, work: () => revocation.tripMissed() },
      { name: 'freeze who held a decoy', everyMs: 1000, work: () => revocation.tripSeen() },
      { name: 'record refusals', everyMs: 10_000, work: () => refusals.flush() },
      {
        name: 'expire approvals',
        everyMs: 2000,
        work: () => approvals.expireDue(bySystem('expiry')),
      },
      { name: 'forget used proofs', everyMs: 10_000, work: () => identity.prune() },
      { name: 'forget answered keys', everyMs: 60_000, work: () => pruneKeys(pools.front, tenant) },
    ],
    async begin() {
      await signer.checkSeen()
      await openLog(ledgers.front, tenant, ledgerKey.origin)
      const unfollow = await pdp.follow()
      const unwatch = await pdp.watchFolder(policiesDir)
      await signer.signOnce()
      return async () => {
        unwatch()
        unfollow()
        await refusals.flush()
        await signer.signOnce().catch((error: unknown) => {
          shared.report('the last checkpoint was not signed', error)
        })
      }
    },
  }
}
