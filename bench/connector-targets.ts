/** What stands behind each connector: a real server where one can be had, and what asking it oneself costs. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts'
import { Client } from 'pg'
import type { JsonObject } from '../src/domain/json.ts'
import { Secret } from '../src/domain/secret.ts'
import { anAwsTarget } from '../test/delivery/aws-rgw.ts'
import { startCephRgw, whyNoCephRgw } from '../test/parts/ceph-rgw.ts'
import { aTestServer } from '../test/parts/vault.ts'
import type { BenchWorld } from './world.ts'

export interface Measured {
  readonly connector: string
  /** Said beside its figures. */
  readonly against: string
  readonly settings: JsonObject
  readonly secret: Secret
  readonly args: JsonObject
  /** What somebody would do who had the target's own key. */
  readonly bare: () => Promise<unknown>
  /** Of those that are called through the broker: the call, below their address. */
  readonly through?: { readonly path: string; readonly init?: { method: string; body: JsonObject } }
  readonly stop: () => Promise<void>
}

export type Starting = () => Promise<Measured>
const nothing = () => Promise.resolve()

/** @returns how each is started, or why it cannot be here */
export function targetsOf(world: BenchWorld): Readonly<Record<string, Starting | string>> {
  return {
    postgres: () => Promise.resolve(postgresOf(world)),
    'postgres-exact': () => Promise.resolve(exactOf(world)),
    http: startHttp,
    vault: startVault,
    'aws-sts': whyNoCephRgw ?? startAws,
  }
}

function ordersOf({ orders }: BenchWorld): { settings: JsonObject; secret: Secret } {
  const { host, port, database, admin, groups } = orders
  const settings = { host, port, database, sslmode: 'disable', admin_user: admin.username }
  return { settings: { ...settings, group_roles: [...groups] }, secret: admin.password }
}

async function asOrdersAdmin<T>({ orders }: BenchWorld, work: (client: Client) => Promise<T>) {
  const { host, port, database, admin } = orders
  const { username: user } = admin
  const client = new Client({ host, port, database, user, password: admin.password.reveal() })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

const STATEMENT = 'select count(*) from orders'

function postgresOf(world: BenchWorld): Measured {
  const { settings, secret } = ordersOf(world)
  let made = 0
  return {
    ...{ connector: 'postgres', against: 'PostgreSQL: connect, create role', secret },
    ...{ settings: { connector: 'postgres', ...settings }, args: { sql: STATEMENT } },
    bare: () =>
      asOrdersAdmin(world, (client) => {
        made += 1
        const password = randomBytes(24).toString('base64url')
        return client.query(
          `create role bare_${String(made)} login password '${password}' in role orders_read`,
        )
      }),
    stop: () =>
      asOrdersAdmin(world, async (client) => {
        for (let n = 1; n <= made; n += 1) await client.query(`drop role bare_${String(n)}`)
      }),
  }
}

function exactOf(world: BenchWorld): Measured {
  const { settings, secret } = ordersOf(world)
  const args = { sql: STATEMENT }
  return {
    ...{ connector: 'postgres-exact', against: 'PostgreSQL: connect, run it', secret, args },
    settings: { connector: 'postgres-exact', ...settings },
    bare: () =>
      asOrdersAdmin(world, async (client) => {
        await client.query('set role orders_read')
        return await client.query(STATEMENT)
      }),
    through: { path: '/query', init: { method: 'POST', body: args } },
    stop: nothing,
  }
}

async function startHttp(): Promise<Measured> {
  const server = createServer((_req, res) => {
    res.setHeader('content-type', 'application/json')
    res.end('{"name":"red","stars":3}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const base = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const token = randomBytes(24).toString('base64url')
  return {
    ...{ connector: 'http', against: 'an HTTP server of this process', args: { name: 'red' } },
    settings: {
      ...{ connector: 'http', base_url: base, insecure_http: true, inject: 'bearer' },
      ...{ private_addresses: ['127.0.0.1/32'], allow: [ALLOWED] },
    },
    secret: new Secret(token),
    async bare() {
      const headers = { authorization: `Bearer ${token}` }
      return await (await fetch(`${base}/things/red`, { headers })).text()
    },
    through: { path: '/things/red' },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
const ALLOWED: JsonObject = { methods: ['GET'], paths: ['/things/{name}'] }

async function startVault(): Promise<Measured> {
  const { server, part } = await aTestServer()
  const headers = { 'x-vault-token': server.root }
  return {
    ...{ connector: 'vault', against: part.which, args: { name: 'red' } },
    ...{ settings: part.settings as JsonObject, secret: part.secret, stop: part.close },
    async bare() {
      const at = `${part.settings.address}/v1/database/creds/orders`
      return await (await fetch(at, { headers })).text()
    },
  }
}

async function startAws(): Promise<Measured> {
  const rgw = await startCephRgw()
  const { settings } = await anAwsTarget(rgw)
  const { accessKeyId, secretAccessKey } = rgw.admin
  const { region, endpoint, role_arn: RoleArn } = settings
  const sts = new STSClient({ region, endpoint, credentials: rgw.admin, maxAttempts: 1 })
  const asked = { RoleArn, RoleSessionName: 'bare', DurationSeconds: 900 }
  return {
    ...{ connector: 'aws-sts', against: 'Ceph RADOS Gateway: AssumeRole', settings },
    secret: new Secret(
      JSON.stringify({ access_key_id: accessKeyId, secret_access_key: secretAccessKey }),
    ),
    args: { name: 'red' },
    bare: () => sts.send(new AssumeRoleCommand(asked)),
    stop: () => rgw.end(),
  }
}
