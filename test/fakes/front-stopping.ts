/** Stopping, behind the fake front: in memory, once, and of one agent and one consent. */
import type { FreezeScope } from '../../src/domain/entry.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type {
  FreezeHeld,
  FrontRevocation,
  ProvenClient,
  Unconfirmed,
} from '../../src/http/front-stopping.ts'
import { found } from './front-readers.ts'
import { IDS, NOW } from './settled.ts'

export interface FakeStopping extends FrontRevocation {
  /** Tokens that were revoked, as `kind of client token`. */
  readonly shown: string[]
}

export function stopping(): FakeStopping {
  const stopped = new Map<string, string>()
  const frozen = new Map<string, FreezeHeld>()
  const shown: string[] = []
  return {
    shown,
    withdraw: (_person, id) => found(id === IDS.consent ? revoked('consent', id) : undefined),
    retire: (_person, id) => found(id === IDS.agent ? revoked('agent', id) : undefined),
    find: (_person, id) => found(id === IDS.revocation ? revoked('agent', IDS.agent) : undefined),

    async revoke(_person, { target: { kind, id }, cause }, { key }) {
      await known(id)
      const earlier = key && stopped.get(key.key)
      const isNew = !stopped.has(id)
      stopped.set(id, cause)
      if (key) stopped.set(key.key, id)
      return { ...revoked(kind, id, cause), isNew, isRepeat: typeof earlier === 'string' }
    },

    async reach(_person, { id }) {
      await known(id)
      const under = { kind: 'delegation', id: 'dlg_x', under: id, agent: IDS.agent, expiresAt: NOW }
      const leases = Array.from({ length: 1500 }, (_, n) => {
        return { ...under, kind: 'credential', id: `crd_${String(n)}`, under: 'dlg_x' }
      })
      return { counts: { delegations: 1, credentials: 1500 }, reached: [under, ...leases] }
    },

    revokeShown(client: ProvenClient, token) {
      shown.push(`${client.kind} ${token}`)
      return Promise.resolve()
    },

    async freeze(_person, { scope, cause }) {
      if (scope.kind === 'tool' && scope.id !== 'sql.query') throw new BrokerError('unknown_tool')
      const name = nameOf(scope)
      const before = frozen.get(name)
      const freeze = { id: IDS.revocation, scope, cause, since: NOW, liftedAt: null }
      const held = before ?? { freeze, eventId: IDS.event }
      frozen.set(name, held)
      return Promise.resolve({ ...held, isNew: before === undefined, isRepeat: false })
    },

    async lift({ person }, { scope }) {
      if (!person.roles.includes('operator')) throw new BrokerError('role_required')
      const held = frozen.get(nameOf(scope))
      if (held === undefined) throw new BrokerError('conflict')
      frozen.delete(nameOf(scope))
      const freeze = { ...held.freeze, liftedAt: NOW }
      return Promise.resolve({ ...held, freeze, isNew: true, isRepeat: false })
    },

    frozen: () => Promise.resolve([...frozen.values()]),

    unconfirmed: (_person, { before }) =>
      Promise.resolve(
        before === null
          ? { items: [UNCONFIRMED], next: IDS.credential }
          : { items: [], next: null },
      ),
  }
}

const UNCONFIRMED: Unconfirmed = {
  ...{ id: IDS.credential, state: 'revoke_pending', reason: 'expired', target: 'orders' },
  ...{ tool: 'sql.query', sponsor: IDS.sponsor, agent: IDS.agent, consent: IDS.consent },
  ...{ issuedAt: NOW, expiresAt: NOW, attempts: 3, nextTryAt: NOW },
}

const nameOf = ({ kind, id }: FreezeScope) => `${kind} ${id ?? ''}`
const known = (id: string) => found(Object.values(IDS).some((it) => it === id) ? id : undefined)

const revoked = (
  kind: Parameters<FrontRevocation['revoke']>[1]['target']['kind'],
  id: string,
  cause = 'withdrawn',
) => ({
  revocation: {
    ...{ id: IDS.revocation, target: { kind, id }, cause, at: NOW },
    counts: { consents: 1 },
  },
  confirmations: { confirmed: 0, pending: 1, notSupported: 0 },
  eventId: IDS.event,
})
