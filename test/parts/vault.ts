/** The protocol-true test server, prepared as an operator would prepare a Vault. */
import { Secret } from '../../src/domain/secret.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { aVaultServer } from './vault-server.ts'

export interface VaultPart {
  readonly which: string
  /** As in a trust file; a token is what is sealed. */
  readonly settings: {
    readonly connector: string
    readonly address: string
    readonly [more: string]: unknown
  }
  readonly secret: Secret
  /** Whether the login opens the database that the engine makes it in. */
  readonly works: (issued: Issued) => Promise<boolean>
  /** Whether something there has this name in its own. */
  readonly exists: (downstreamName: string) => Promise<boolean>
  readonly close: () => Promise<void>
}

/** What a broker may do there; docs/connectors/vault.md has the same as HCL. */
export const BROKER = {
  'auth/token/roles/procura-*': ['create', 'read', 'update', 'delete'],
  'auth/token/roles': ['list'],
  'auth/token/create/procura-*': ['create', 'update'],
  'auth/token/lookup-self': ['read'],
  'auth/token/renew-self': ['update'],
  'auth/token/revoke-self': ['update'],
  'sys/leases/revoke-prefix/auth/token/create/procura-*': ['update', 'sudo'],
  'sys/leases/lookup': ['update'],
  'sys/wrapping/wrap': ['update'],
}
export const brokerFor = (mount: string) => ({
  ...BROKER,
  [`sys/leases/revoke/${mount}/*`]: ['update'],
})
export const readerOf = (path: string) => ({ [path]: ['read', 'create', 'update'] })

export function secretOf({ credential }: Issued, name: string): string {
  const { data } = credential
  const isFlat = typeof data !== 'object' || data instanceof Secret
  const value = isFlat ? undefined : data[name]
  if (value === undefined) throw new Error(`no ${name} was issued`)
  return value.reveal()
}

/** The one path that the server's engine has. */
export const ENGINE = 'database/creds/orders'

export async function aTestServer() {
  const path = ENGINE
  const server = await aVaultServer(path)
  server.policy('procura-broker', brokerFor('database'))
  server.policy('procura-orders', readerOf(path))
  const common = { connector: 'vault', address: server.address, allow_http: true, paths: [path] }
  const part: VaultPart = {
    which: 'the protocol-true test server, which is no Vault',
    settings: { ...common, policies: ['procura-orders'], auth: { method: 'token' } },
    secret: new Secret(server.token(['procura-broker'], 900)),
    works: (issued) =>
      Promise.resolve(
        server.state.logins.get(secretOf(issued, 'username')) === secretOf(issued, 'password'),
      ),
    exists: (name) =>
      Promise.resolve(
        [...server.state.roles.keys()].some((role) => role.endsWith(name)) ||
          [...server.state.tokens.values()].some((token) => token.path.includes(name)),
      ),
    close: server.close,
  }
  return { server, part }
}
