/** The Vault that VAULT_ADDR and VAULT_TOKEN name, prepared by its API and left as it was found. */
import { randomBytes } from 'node:crypto'
import { Secret } from '../../src/domain/secret.ts'
import type { TestTarget } from '../pg/database.ts'
import { brokerFor, readerOf, secretOf, type VaultPart } from './vault.ts'

/**
 * A server that somebody runs, with the database engine on `db`. The token needs what an administrator
 * has; what is made there is taken away by `close`.
 */
export async function theGivenVault(
  { address, token }: { readonly address: string; readonly token: string },
  db: TestTarget,
): Promise<VaultPart> {
  const id = randomBytes(4).toString('hex')
  const mount = `procura-test-${id}`
  const path = `${mount}/creds/orders`
  const call = callerOf(address, token)
  const policies = { [`${mount}-broker`]: brokerFor(mount), [`${mount}-orders`]: readerOf(path) }
  for (const [name, rules] of Object.entries(policies)) {
    await call('PUT', `sys/policies/acl/${name}`, { policy: policyOf(rules) })
  }
  await call('POST', `sys/mounts/${mount}`, { type: 'database' })
  const { host, username, password, pathname } = new URL(db.url)
  await call('POST', `${mount}/config/db`, {
    ...{ plugin_name: 'postgresql-database-plugin', allowed_roles: 'orders' },
    connection_url: `postgresql://{{username}}:{{password}}@${host}${pathname}?sslmode=disable`,
    ...{ username, password: decodeURIComponent(password) },
  })
  await call('POST', `${mount}/roles/orders`, {
    ...{ db_name: 'db', default_ttl: '30s', max_ttl: '30s' },
    creation_statements: `create role "{{name}}" login password '{{password}}' valid until '{{expiration}}'`,
  })
  const made = await call('POST', 'auth/token/create', {
    ...{ policies: [`${mount}-broker`], ttl: '10m', no_default_policy: true },
  })
  return {
    which: `the server at VAULT_ADDR`,
    settings: {
      ...{ connector: 'vault', address, allow_http: address.startsWith('http:'), paths: [path] },
      ...{ policies: [`${mount}-orders`], auth: { method: 'token' } },
    },
    secret: new Secret(made?.auth?.client_token ?? ''),
    async works(issued) {
      const name = secretOf(issued, 'username')
      return (await db.query('select from pg_roles where rolname = $1', [name])).length === 1
    },
    async exists(name) {
      const listed = await call('GET', 'auth/token/roles?list=true')
      return (listed?.data?.keys ?? []).some((role) => role.endsWith(name))
    },
    async close() {
      await call('POST', `sys/leases/revoke-prefix/${mount}/`, { sync: true })
      await call('DELETE', `sys/mounts/${mount}`)
      for (const name of Object.keys(policies)) await call('DELETE', `sys/policies/acl/${name}`)
    },
  }
}

interface Body {
  readonly auth?: { readonly client_token: string }
  readonly data?: { readonly keys?: readonly string[] }
}

function callerOf(address: string, token: string) {
  return async (method: string, path: string, body?: object): Promise<Body | null> => {
    const init = { method, headers: { 'X-Vault-Token': token } }
    const answer = await fetch(`${address}/v1/${path}`, {
      ...init,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok && answer.status !== 404) {
      throw new Error(`${method} ${path}: ${String(answer.status)}`)
    }
    const text = await answer.text()
    return text === '' ? null : (JSON.parse(text) as Body)
  }
}

/** Of what a policy may say, JSON is a part. */
function policyOf(rules: Readonly<Record<string, readonly string[]>>): string {
  const path = Object.entries(rules).map(([at, capabilities]) => [at, { capabilities }] as const)
  return JSON.stringify({ path: Object.fromEntries(path) })
}
