/** Leases for statements on a real PostgreSQL, and replicas of a broker that run them. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { digestOf } from '../../src/domain/digest.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { bySystem } from '../../src/domain/request.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { createCalls } from '../../src/delivery/calls.ts'
import type { Secrets } from '../../src/delivery/seal.ts'
import { createLog } from '../../src/ledger/log.ts'
import { NOTHING_TO_SEAL } from '../../src/ledger/sealed.ts'
import { NO_TOKENS } from '../fakes/no-tokens.ts'
import { freshDatabase } from '../pg/database.ts'
import { anIntent, now, WHO } from './bench.ts'
import { aPostgresTarget } from './postgres-target.ts'
import { leaves } from './world.ts'

export const instance = ProvenInstance.proven(
  {
    ...{ ...WHO, model: null, jti: 'ses-1', tokenHash: 'hash', expiresAt: now(), delegation: null },
    authority: { scopes: [], purpose: 'support', constraints: [] },
  },
  'jkt',
)

export const act = bySystem('req-1')

/** Of this file's own: what looks for its logins finds no other file's at the server they share. */
export const OWNER = `https://${randomBytes(6).toString('hex')}.example`

export interface Asked {
  readonly intent: Intent
  readonly args: JsonObject
}

const left = new AbortController().signal
export const called = ({ intent, args }: Asked, of: object = {}) => ({
  ...{ lease: intent.lease, method: 'POST', path: '/query', query: '', headers: {}, left },
  ...{ body: Buffer.from(canonical(args)), ...of },
})

export type StatementWorld = Awaited<ReturnType<typeof aStatementWorld>>

export async function aStatementWorld() {
  const db = await freshDatabase()
  const at = await aPostgresTarget()
  const troubles: unknown[] = []
  const secrets = { use: <T>(_: string, work: (secret: Secret) => Promise<T>) => work(at.password) }

  function aReplica(more: object = {}, opening: Secrets = secrets) {
    const pool = db.pool('procura_cdp')
    const base = { tenant: 'main', pool, trouble: (error: unknown) => troubles.push(error) }
    return createCalls({
      ...base,
      ledger: createLog({ tenant: 'main', pool, door: 'append_issued', sealer: NOTHING_TO_SEAL }),
      secrets: opening,
      targets: { orders: { ...at.settings, connector: 'postgres-exact', ...more } },
      ...{ clock: now, owner: OWNER, tokens: NO_TOKENS },
    })
  }

  /** An active lease for exactly this statement. */
  async function aLease(sql: string, permissions: object = {}, of: Partial<Intent> = {}) {
    const args = { sql, why: 'tëst' }
    const intent = anIntent({
      ...{ target: 'orders', connector: 'postgres-exact', senderConstraint: 'proxy', jkt: 'jkt' },
      ...{ argsHash: digestOf(args), ...of },
      permissions: { ...at.permissions, statement: 'sql', ...permissions },
    })
    const { lease, decision, connector, target, downstreamName, issuedAt, expiresAt } = intent
    await db.query(
      `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
         sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at)
       values ('main', $1, $2, 'active', $3, $4, $5, $6, $7, $8, $9, 'jkt', $10, 0, $11, $12)`,
      [
        ...[lease, decision, connector, target, downstreamName],
        ...[WHO.sponsor, WHO.agent, WHO.instance, WHO.consent],
        ...[intent, issuedAt, expiresAt],
      ],
    )
    return { intent, args }
  }

  const ask = (asked: Asked, of: object = {}, replica = aReplica()) =>
    replica.call(instance, called(asked, of), act)
  const told = async (asked: Asked, of: object = {}, replica = aReplica()) => {
    const { status, first, more } = await ask(asked, of, replica)
    expect(more).toBeNull()
    return { status, body: JSON.parse(Buffer.from(first).toString()) as JsonObject }
  }
  const usages = async ({ intent }: Asked) =>
    (await leaves(db)).filter(
      (leaf) =>
        leaf.event_type === 'usage' && JSON.stringify(leaf['credential']).includes(intent.lease),
    )
  return { db, at, secrets, troubles, aReplica, aLease, ask, told, usages }
}
