/** The parts behind the fake front that only look things up, or stop them. */
import type { Lease } from '../../src/domain/lease.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Front } from '../../src/http/front.ts'
import { DIGEST, IDS, NOW } from './settled.ts'

export const reading: Pick<
  Front,
  'credentials' | 'proxy' | 'decisions' | 'chains' | 'ledger' | 'introspect'
> = {
  proxy: {
    call: (_instance, { lease, body }) =>
      found(
        lease === IDS.credential
          ? {
              ...{ status: 200, headers: [['content-type', 'text/plain']] as const },
              ...{ first: body, more: null, over: Promise.resolve() },
            }
          : undefined,
      ),
  },
  credentials: {
    read: (_instance, id) => found(id === IDS.credential ? aLease() : undefined),
    giveBack: (_instance, id) =>
      found(
        id === IDS.credential
          ? { id, status: 'returned' as const, refunded: true, confirmedDeadAt: NOW }
          : undefined,
      ),
    undelivered: () => Promise.resolve(),
    redeem: (_service, { tool, argsHash }) =>
      Promise.resolve({
        ...{ credential: IDS.credential, redeemedAt: NOW, tool, argsHash, purpose: 'support' },
        ...{ sub: IDS.sponsor, clientId: IDS.agent, act: {}, decision: IDS.decision },
        ...{ expiresAt: NOW, eventId: IDS.event, isRepeat: false },
      }),
  },
  introspect: (_service, token) =>
    Promise.resolve(token === 'live' ? { jti: IDS.credential } : null),
  chains: {
    find: (id, _by, { tokens }) => found(id === IDS.consent ? aChain(tokens) : undefined),
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
    ...{ id: IDS.credential, decision: IDS.decision, state: 'active' },
    ...{ tool: 'sql.query', argsHash: DIGEST, purpose: 'support', level: 'L1' },
    ...{ senderConstraint: 'none', consent: IDS.consent, instance: IDS.instance },
    ...{ ttlSeconds: 60, issuedAt: NOW, expiresAt: NOW, endedAt: null, confirmedDeadAt: null },
    eventId: IDS.event,
  }
}

export const found = <T>(thing: T | undefined): Promise<T> =>
  thing === undefined ? Promise.reject(new BrokerError('not_found')) : Promise.resolve(thing)

const aChain = (isWithTokens: boolean) => ({
  ...{ id: IDS.consent, sponsor: { id: IDS.sponsor, identity: null } },
  consent: {
    ...{ id: IDS.consent, status: 'active', purpose: 'support', tools: ['sql.query'] },
    ...{ terms_hash: DIGEST, method: 'session', consent_jwt: 'eyJ', max_uses: 40, uses: 4 },
    ...{ expires_at: NOW.toISOString(), event_id: IDS.event, index: 2, agent_id: IDS.agent },
    ...{ agent_name: 'desk', max_hops: 0, budgets: [] },
    effective: { scopes: ['sql.query'], constraints: [], del_max_depth: 1 },
    done: {
      decisions: { allow: 1, ask: 0, deny: 0, none: 0 },
      credentials: { issued: 1, live: 0 },
    },
  },
  ...{ hops: [], approvals: [], decision_id: null, credential_id: null },
  ...{ below: [], below_is_all: true },
  verification: {
    ...{ outcome: 'valid', verified_at: NOW.toISOString(), consent: 'valid' },
    not_performed: ['signatures', 'holder_binding', 'action'],
  },
  ...(isWithTokens && { tokens: [] }),
})
