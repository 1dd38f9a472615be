/** The vault connector at the protocol-true test server, which begins anew with each test file. */
import { afterAll, afterEach, expect } from 'vitest'
import { vault } from '../../src/delivery/connectors/vault.ts'
import { within } from '../../src/delivery/deadline.ts'
import { createTargets, kindOf, type Target } from '../../src/delivery/targets.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Intent } from '../../src/domain/lease.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { aTestServer } from '../parts/vault.ts'
import { anIntent } from './bench.ts'

const { server, part } = await aTestServer()
afterAll(() => part.close())
afterEach(() => {
  server.faults.clear()
  Object.assign(server.engine, { seconds: 30, leaseless: false })
  server.state.faults.engineCannotRevoke = false
})

interface Sealed {
  readonly secret?: Secret
  readonly owner?: string
}

export function aTarget(
  more: object = {},
  { secret = part.secret, owner = 'me' }: Sealed = {},
): Target {
  const secrets = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(secret) }
  const kinds = [kindOf(vault({ secrets, owner }))]
  const target = createTargets(kinds, { orders: { ...part.settings, ...more } }).get('orders')
  if (target === undefined) throw new Error('no target')
  return target
}

export const PATH = 'database/creds/orders'
export function orders(permissions: JsonObject = {}, of: Partial<Intent> = {}): Intent {
  return anIntent({
    ...{ target: 'orders', connector: 'vault', senderConstraint: 'none' },
    permissions: { path: PATH, method: 'read', data: {}, wrap: false, ...permissions },
    ...of,
  })
}

export const issue = (intent: Intent, target = aTarget(), milliseconds = 3000) =>
  within(milliseconds, (signal) => target.issue(intent, signal))
export const revoke = (name: string, target = aTarget()) =>
  within(3000, (signal) => target.revoke(name, signal))
export const nothingIsLeft = () => {
  const { roles, leases, logins } = server.state
  expect({ roles: roles.size, leases: leases.size, logins: logins.size }).toEqual({
    ...{ roles: 0, leases: 0, logins: 0 },
  })
}

export { part, server }
