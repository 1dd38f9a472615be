/** The parts behind the fake front that only look things up, or stop them. */
import type { Lease } from '../../src/domain/lease.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Front } from '../../src/http/front.ts'
import { DIGEST, IDS, NOW } from './settled.ts'

const revoked = (kind: 'consent' | 'agent', id: string) => ({
  revocation: {
    ...{ id: IDS.revocation, target: { kind, id }, cause: 'withdrawn', at: NOW },
    counts: { consents: 1 },
  },
  confirmations: { confirmed: 0, pending: 1, notSupported: 0 },
  eventId: IDS.event,
})

export const stopping: Pick<Front, 'revocation'> = {
  revocation: {
    withdraw: (_person, id) => found(id === IDS.consent ? revoked('consent', id) : undefined),
    retire: (_person, id) => found(id === IDS.agent ? revoked('agent', id) : undefined),
    find: (_person, id) => found(id === IDS.revocation ? revoked('agent', IDS.agent) : undefined),
  },
}

export const reading: Pick<Front, 'credentials' | 'decisions' | 'ledger'> = {
  credentials: {
    read: (_instance, id) => found(id === IDS.credential ? aLease() : undefined),
    giveBack: (_instance, id) =>
      found(
        id === IDS.credential
          ? { id, status: 'returned' as const, refunded: true, confirmedDeadAt: NOW }
          : undefined,
      ),
    undelivered: () => Promise.resolve(),
    introspect: (_service, token) =>
      Promise.resolve(token === 'live' ? { jti: IDS.credential } : null),
    redeem: (_service, { tool, argsHash }) =>
      Promise.resolve({
        ...{ credential: IDS.credential, redeemedAt: NOW, tool, argsHash, purpose: 'support' },
        ...{ sub: IDS.sponsor, clientId: IDS.agent, act: {}, decision: IDS.decision },
        ...{ expiresAt: NOW, eventId: IDS.event, isRepeat: false },
      }),
  },
  decisions: {
    find: (id) =>
      found(
        id === IDS.decision
          ? { id, at: NOW.toISOString(), answer: 'allow', request: { tool: 'sql.query' } }
          : undefined,
      ),
  },
  ledger: {
    entries: (_person, { start }) => Promise.resolve({ size: start, items: [], nextStart: null }),
    checkpoint: () => Promise.resolve('broker.example/v1/ledger\n3\nroot\n'),
    inclusion: () =>
      Promise.resolve({ index: 1, size: 3, leafHash: 'AA==', hashes: ['BB=='], checkpoint: 'c\n' }),
    consistency: (from, to) => Promise.resolve({ from, to, hashes: [], checkpoint: 'c\n' }),
  },
}

export function aLease(): Lease {
  return {
    ...{ id: IDS.credential, decision: IDS.decision, state: 'active', kind: 'postgres' },
    ...{ tool: 'sql.query', argsHash: DIGEST, purpose: 'support', level: 'L1' },
    ...{ senderConstraint: 'none', consent: IDS.consent, instance: IDS.instance },
    ...{ ttlSeconds: 60, issuedAt: NOW, expiresAt: NOW, endedAt: null, confirmedDeadAt: null },
    eventId: IDS.event,
  }
}

export const found = <T>(thing: T | undefined): Promise<T> =>
  thing === undefined ? Promise.reject(new BrokerError('not_found')) : Promise.resolve(thing)
