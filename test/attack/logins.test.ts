/** What a minted login tries on the database that let it in, to outlive or to outgrow its lease. */
import { beforeAll, describe, expect, it } from 'vitest'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { within } from '../../src/delivery/deadline.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { aSigner, anIntent } from '../delivery/bench.ts'
import { aPostgresTarget, loginWith, type PostgresTarget } from '../delivery/postgres-target.ts'

let at: PostgresTarget
beforeAll(async () => {
  at = await aPostgresTarget()
})

function theTarget() {
  const secrets = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(at.password) }
  const owner = 'https://broker.example'
  const kinds = createConnectors({ credentials: aSigner(), secrets, owner })
  const target = createTargets(kinds, { orders: { ...at.settings } }).get('orders')
  if (target === undefined) throw new Error('no target')
  return target
}

async function aLogin() {
  const target = theTarget()
  const permissions = { ...at.permissions }
  const grant = { target: 'orders', connector: 'postgres', senderConstraint: 'none' } as const
  const intent = anIntent({ ...grant, permissions })
  const issued = await within(8000, (signal) => target.issue(intent, signal))
  const revoke = () => within(5000, (signal) => target.revoke(intent.downstreamName, signal))
  return { name: intent.downstreamName, issued, revoke, session: await loginWith(issued) }
}

describe('a minted login', () => {
  it('[DEL-12] that holds a lock on its own role is ended all the same', async () => {
    const { name, session, revoke } = await aLogin()
    await session.query('set idle_in_transaction_session_timeout = 0')
    await session.query(`begin read write; alter role ${name} password 'another'`)
    expect(await revoke()).toEqual({ found: true })
    expect([await at.has(name), await at.sessionsOf(name)]).toEqual([false, 0])
  })
})
