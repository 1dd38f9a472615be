/** Targets in processes that are killed and started again where they were, with what they knew. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Secret } from '../../src/domain/secret.ts'
import { anAwsTarget, fill, get, storedKeys } from '../delivery/aws-rgw.ts'
import { toRead } from '../delivery/aws-target.ts'
import { aPostgresTarget } from '../delivery/postgres-target.ts'
import { startGate } from '../fakes/gate.ts'
import { startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import type { Kept, Told } from '../parts/vault-process.ts'
import { aChild, killed } from './dying.ts'
import { ownPostgres } from './postgres.ts'
import { ORDERS, type Subject } from './subjects.ts'

/** As it was made; `null`, or nothing: nobody knows. */
type Known = Readonly<Record<string, string>> | null

export interface Victim extends Omit<Subject, 'isAlive'> {
  readonly connector: string
  /** What is asked of it, in words that are in that ask alone: all that makes something, and all that ends it. */
  readonly makes: readonly string[]
  readonly ends: readonly string[]
  /** Of these, the one that makes what can be used, and the one that ends it. */
  readonly makesIt: string
  readonly endsIt: string
  /** Whether it says of what it has ended that it was there: then it was made. */
  readonly isTold: boolean
  /** Whether it can tell that nothing of a name was ever there. */
  readonly isSure: boolean
  /** @param shown of what was made, where anybody knows */
  readonly isAlive: (name: string, shown?: Known) => Promise<boolean>
  /** Nobody is there any more. */
  kill(): Promise<void>
  start(): Promise<void>
}

export async function allVictims() {
  const server = await ownPostgres({ isEmpty: true })
  const { url, query } = server
  const at = await aPostgresTarget({
    ...{ url, query, name: 'postgres', role: (base) => base, urlAs: () => url },
    drop: () => Promise.resolve(),
  })
  const rest = [aVault(), ...(whyNoCephRgw === null ? [anAws()] : [])]
  const [postgres, ...others] = await Promise.all([aPostgres(server, at), ...rest])
  return { at, server: postgres, victims: [postgres, ...others] }
}

type Server = Awaited<ReturnType<typeof ownPostgres>>
type At = Awaited<ReturnType<typeof aPostgresTarget>>

async function aPostgres(server: Server, at: At): Promise<Victim> {
  const gate = await startGate(at.settings.port)
  return {
    ...{ connector: 'postgres', gate, settings: { ...at.settings, port: gate.port } },
    ...{ secret: at.password.reveal(), permissions: at.permissions, isTold: true },
    isSure: true,
    ...{ makes: ['create role'], makesIt: 'create role' },
    ...{ ends: ['alter role', 'drop role'], endsIt: 'drop role' },
    isAlive: (name) => at.has(name),
    stop: () => gate.stop(),
    async kill() {
      await server.kill()
      await gate.set('refused')
    },
    async start() {
      await server.start()
      await gate.set('open')
    },
  }
}

async function aVault(): Promise<Victim> {
  const folder = mkdtempSync(join(tmpdir(), 'procura-vault-'))
  const file = join(folder, 'kept.json')
  let port = 0
  const start = async () => {
    const child = aChild('../parts/vault-process.ts', file, String(port))
    const [told] = (await once(child, 'message')) as [Told]
    port = Number(new URL(told.address).port)
    return { child, token: told.token }
  }
  let { child, token } = await start()
  const gate = await startGate(port)
  const known = () => JSON.parse(readFileSync(file, 'utf8')) as Kept
  return {
    ...{ connector: 'vault', gate, secret: token, permissions: ORDERS, isTold: true },
    isSure: true,
    settings: {
      ...{ address: `http://127.0.0.1:${String(gate.port)}`, allow_http: true },
      ...{ paths: [ORDERS.path], policies: ['procura-orders'], auth: { method: 'token' } },
    },
    makes: [
      ...['/v1/auth/token/roles/', '/v1/auth/token/create/'],
      ...[`/v1/${ORDERS.path}`, 'path_suffix'],
    ],
    makesIt: `/v1/${ORDERS.path}`,
    ends: [
      '/v1/sys/leases/revoke-prefix/',
      '/v1/sys/leases/revoke/',
      'DELETE /v1/auth/token/roles/',
    ],
    endsIt: '/v1/sys/leases/revoke-prefix/',
    isAlive: (name, shown) => {
      const { tokens, roles, logins } = known()
      const isNamed = roles.some(([role]) => role.endsWith(name))
      const isItsOwn = isNamed || tokens.some(([, { path }]) => path.includes(name))
      return Promise.resolve(isItsOwn || logins.some(([login]) => shown?.['username'] === login))
    },
    async kill() {
      await killed(child)
      await gate.set('refused')
    },
    async start() {
      ;({ child, token } = await start())
      await gate.set('open')
    },
    async stop() {
      await gate.stop()
      await killed(child)
      rmSync(folder, { recursive: true })
    },
  }
}

/** Sessions have no names to ask for: what nobody has seen stands denied in the role, or may be alive. */
async function anAws(): Promise<Victim> {
  const rgw = await startCephRgw()
  const at = await anAwsTarget(rgw)
  await fill(at.owner, ['7/a'])
  const gate = await startGate(Number(new URL(rgw.endpoint).port))
  const endpoint = `http://127.0.0.1:${String(gate.port)}`
  return {
    ...{ connector: 'aws-sts', gate, settings: { ...at.settings, endpoint } },
    ...{ secret: storedKeys(rgw.admin), permissions: toRead('7'), isTold: true },
    isSure: false,
    ...{ makes: ['Action=AssumeRole'], makesIt: 'Action=AssumeRole' },
    ...{ ends: ['Action=PutRolePolicy'], endsIt: 'Action=PutRolePolicy' },
    async isAlive(name, shown) {
      if (shown == null) return !(await at.denials().catch(orNone)).includes(name)
      const secret = (key: string) => new Secret(shown[key] ?? '')
      const session = at.session({
        ...{ kind: 'aws', expiresAt: new Date(0) },
        credential: {
          access_key_id: shown['access_key_id'] ?? '',
          secret_access_key: secret('secret_access_key'),
          session_token: secret('session_token'),
        },
      })
      const answer = await get(session, '7/a')
      session.destroy()
      return answer === 'ok'
    },
    async kill() {
      await rgw.kill()
      await gate.set('refused')
    },
    async start() {
      await rgw.start()
      await gate.set('open')
    },
    async stop() {
      await gate.stop()
      await rgw.end()
    },
  }
}

/** Nothing was denied yet. */
function orNone(error: unknown): string {
  const { $metadata: of } = error as { readonly $metadata?: { readonly httpStatusCode?: number } }
  if (of?.httpStatusCode === 404) return ''
  throw error
}
