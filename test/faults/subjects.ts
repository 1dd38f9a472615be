/** What connectors make something at, each reached by a way that can be made to fail. */
import type { JsonObject } from '../../src/domain/json.ts'
import { anAwsTarget, fill, storedKeys } from '../delivery/aws-rgw.ts'
import { toRead } from '../delivery/aws-target.ts'
import { aPostgresTarget } from '../delivery/postgres-target.ts'
import { type Gate, startGate } from '../fakes/gate.ts'
import { startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { aTestServer } from '../parts/vault.ts'

export interface Subject {
  readonly gate: Gate
  readonly settings: object
  readonly secret: string
  readonly permissions: JsonObject
  /** Whether anything of this name may still be used there. */
  readonly isAlive: (name: string) => Promise<boolean>
  readonly stop: () => Promise<void>
}

export const SUBJECTS: readonly (readonly [name: string, start: () => Promise<Subject>])[] = [
  ['postgres', startPostgres],
  ['vault', startVault],
  ...(whyNoCephRgw === null ? [['aws-sts', startAws] as const] : []),
]

async function startPostgres(): Promise<Subject> {
  const at = await aPostgresTarget()
  const gate = await startGate(at.settings.port)
  return {
    ...{ gate, settings: { ...at.settings, port: gate.port }, secret: at.password.reveal() },
    ...{ permissions: at.permissions, isAlive: at.has, stop: () => gate.stop() },
  }
}

/** To read what a dynamic engine makes. */
export const ORDERS = { path: 'database/creds/orders', method: 'read', data: {}, wrap: false }

async function startVault(): Promise<Subject> {
  const { server, part } = await aTestServer()
  const { settings, secret } = part
  const gate = await startGate(Number(new URL(settings.address).port))
  const address = `http://127.0.0.1:${String(gate.port)}`
  return {
    ...{ gate, settings: { ...settings, address }, secret: secret.reveal() },
    permissions: ORDERS,
    isAlive: (name) => {
      const { tokens, logins } = server.state
      const isItsOwn = [...tokens.values()].some(({ path }) => path.includes(name))
      return Promise.resolve(isItsOwn || logins.size > 0)
    },
    async stop() {
      await gate.stop()
      await part.close()
    },
  }
}

/** Sessions have no names to ask for. What may be alive stands denied in the role, or is not denied. */
async function startAws(): Promise<Subject> {
  const rgw = await startCephRgw()
  const at = await anAwsTarget(rgw)
  await fill(at.owner, ['7/a'])
  const gate = await startGate(Number(new URL(rgw.endpoint).port))
  const endpoint = `http://127.0.0.1:${String(gate.port)}`
  return {
    ...{ gate, settings: { ...at.settings, endpoint }, secret: storedKeys(rgw.admin) },
    ...{ permissions: toRead('7'), isAlive: () => Promise.resolve(false) },
    async stop() {
      await gate.stop()
      await rgw.end()
    },
  }
}
