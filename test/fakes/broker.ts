/** A broker whose parts remember what is on record and what is alive at the target. */
import { createBroker, createDecider } from '../../src/broker.ts'
import type { SignedDecision } from '../../src/domain/decision.ts'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Intent, Issued, Lease } from '../../src/domain/lease.ts'
import type { Broker, Decider, Deciding, Delivering, Ledger } from '../../src/domain/ports.ts'
import { BrokerError, unavailable } from '../../src/domain/problems.ts'
import { Recorded } from '../../src/domain/recorded.ts'
import { bySystem, type Presented } from '../../src/domain/request.ts'
import { remembered } from '../../src/domain/ruling.ts'
import type { Tx } from '../../src/domain/tx.ts'
import { aLease } from './front-readers.ts'
import { ANSWERS, aSettled, DIGEST, IDS, NOW, STOPPED_BY } from './settled.ts'

export const FAULTS = [
  'the decision cannot be recorded',
  'the decision cannot be signed',
  'it was redeemed before',
  'the target refuses',
  'the target mints, then times out',
  'the issuance cannot be recorded',
  'it is recorded, and the answer lost',
] as const
export type Fault =
  | (typeof FAULTS)[number]
  | 'the consent is withdrawn meanwhile'
  | 'its yes is used up meanwhile, by itself'
  | 'its yes was used up by another'
  | 'its yes was used up since it was read'

export interface FakeBroker {
  readonly decider: Decider
  readonly broker: Broker
  readonly onRecord: LedgerEntry['type'][]
  /** Names that exist at the target. */
  readonly live: Set<string>
  /** Everything that happened, in its order. */
  readonly happened: string[]
}

export const aProof = (idempotencyKey: string | null = null): Presented => ({
  ...{ method: 'POST', path: '/v1/credentials', authorization: 'DPoP s', dpop: 'p' },
  ...{ idempotencyKey, body: new Uint8Array(), requestId: 'req-1', face: 'native' },
  origin: { address: '127.0.0.1', userAgent: null },
})

export function brokerWith(fault?: Fault): FakeBroker {
  const onRecord: LedgerEntry['type'][] = []
  const [live, happened] = [new Set<string>(), [] as string[]]
  const kept = new Map<string, JsonObject>()
  const ledger = ledgerWith({ fault, onRecord, happened, kept })
  const decider = createDecider(decidingWith({ fault, happened, kept, ledger }))
  const cdp = cdpWith({ fault, live, happened })
  return {
    broker: createBroker((...asked) => decider.decide(...asked), { cdp, ledger }),
    ...{ decider, onRecord, live, happened },
  }
}

interface World {
  readonly fault: Fault | undefined
  readonly happened: string[]
}

function ledgerWith(
  world: World & { onRecord: LedgerEntry['type'][]; kept: Map<string, JsonObject> },
): Ledger {
  const { fault, onRecord, happened, kept } = world
  return {
    find: (key) => Promise.resolve(key === null ? null : (kept.get(key.key) ?? null)),
    async record(key, work) {
      const { entries, value, answer } = await work({ now: NOW } as Tx)
      const types = entries.map(({ type }) => type)
      const isDecision = types.includes('decision')
      if (fault === 'the decision cannot be recorded' && isDecision) throw unavailable('ledger')
      if (fault === 'the issuance cannot be recorded' && !isDecision) throw unavailable('ledger')
      onRecord.push(...types)
      happened.push(...types.map((type) => `recorded ${type}`))
      if (key !== null && answer !== null) kept.set(key.key, answer)
      if (fault === 'it is recorded, and the answer lost' && !isDecision) {
        throw unavailable('ledger')
      }
      return Recorded.onRecord(value, onRecord.length - 1, IDS.event)
    },
  }
}

function decidingWith(world: World & { ledger: Ledger; kept: Map<string, JsonObject> }): Deciding {
  const { fault, happened, ledger, kept } = world
  const { decision } = aSettled('allow')
  const { chain } = decision
  const session = {
    ...{ agent: IDS.agent, instance: IDS.instance, sponsor: IDS.sponsor, consent: IDS.consent },
    ...{
      delegation: null,
      authority: chain.effective,
      model: null,
      jti: 'j',
      expiresAt: NOW,
      tokenHash: DIGEST,
    },
  }
  const revoked = { ...ANSWERS.deny, code: 'chain_invalid' as const, outcome: 'revoked' }
  const stop = fault === 'the consent is withdrawn meanwhile' ? revoked : null
  return {
    identity: {
      authenticateWith: (_, read) => {
        const instance = ProvenInstance.proven(session, 'jkt')
        return Promise.resolve({ instance, reading: read(instance) })
      },
      actOf: () => bySystem('req-1'),
      requestKey: (_instance, { idempotencyKey: key }) =>
        key === null ? null : { caller: IDS.instance, route: 'r', key, fingerprint: 'f' },
    },
    consents: {
      behind: () => Promise.resolve(chain),
      standing: () => Promise.resolve(chain),
    },
    delegations: { behind: () => Promise.resolve(null), received: () => Promise.resolve(null) },
    approvals: {
      fitting() {
        if (fault === 'its yes is used up meanwhile, by itself') {
          const { credential, decision } = IDS
          kept.set('key-0001', remembered({ kind: 'repeat', credential, decision }))
        }
        const isUsedUp = fault?.startsWith('its yes') === true
        return isUsedUp
          ? Promise.reject(new BrokerError('approval_consumed'))
          : Promise.resolve(null)
      },
      spend: () => Promise.resolve(),
      checkUnused: () =>
        fault === 'its yes was used up since it was read'
          ? Promise.reject(new BrokerError('approval_consumed'))
          : Promise.resolve(),
      openIfAsked: () => Promise.resolve(null),
    },
    pdp: {
      read: () => decision.call,
      decide: () => Promise.resolve(decision),
      async rule({ value }) {
        const { answer, id } = value.decision
        if (answer.kind !== 'allow') {
          const denied = {
            ...ANSWERS.deny,
            ...answer,
            stoppedBy: STOPPED_BY,
            kind: 'deny' as const,
          }
          return {
            kind: 'deny',
            decision: id,
            answer: denied as typeof ANSWERS.deny,
            isRepeat: false,
          }
        }
        if (fault === 'the decision cannot be signed') throw unavailable('keys')
        happened.push('signed')
        return { kind: 'allow', signed: 'signed' as SignedDecision }
      },
    },
    revocation: {
      inForce: () => Promise.resolve({ stop, epoch: 1 }),
      debitInForce: () => Promise.resolve({ stop, epoch: 1, debited: [] }),
    },
    budgets: { spentOf: () => [], short: () => Promise.resolve(null) },
    ledger,
  }
}

function cdpWith({ fault, live, happened }: World & { live: Set<string> }): Delivering['cdp'] {
  const intent = { lease: IDS.credential, downstreamName: 'cb_a' } as Intent
  const lease: Lease = aLease()
  const made: Issued = { kind: 'postgres', credential: { username: 'cb_a' }, expiresAt: NOW }
  return {
    redeem() {
      if (fault === 'it was redeemed before') return Promise.reject(new Error('redeemed'))
      happened.push('redeemed')
      return Promise.resolve(intent)
    },
    mint({ downstreamName }) {
      if (fault === 'the target refuses') return Promise.reject(new Error('refused'))
      live.add(downstreamName)
      happened.push('minted')
      if (fault === 'the target mints, then times out') return Promise.reject(new Error('late'))
      return Promise.resolve(made)
    },
    activate: () => Promise.resolve(lease),
    issuance: () => ({
      ...{ type: 'issuance', act: bySystem('req-1'), intent, kind: 'postgres', expiresAt: NOW },
    }),
    takeBack({ downstreamName }) {
      live.delete(downstreamName)
      return Promise.resolve()
    },
    find: () => Promise.resolve(lease),
  }
}
