/** A target whose token is kept, with its authorization server, and as many brokers as a test has. */
import type { Pool } from 'pg'
import { RefreshToken } from '../../../src/delivery/connectors/http/grants.ts'
import { fileKeyStore } from '../../../src/delivery/key-store.ts'
import { byRefreshToken } from '../../../src/delivery/proxy/grants.ts'
import { createKeptTokens, type Keeping } from '../../../src/delivery/proxy/kept-token.ts'
import type { Wanted } from '../../../src/delivery/proxy/refreshing.ts'
import { createVault } from '../../../src/delivery/seal.ts'
import { Secret } from '../../../src/domain/secret.ts'
import {
  anAuthorizationServer,
  type AuthorizationServer,
  CLIENT,
} from '../../fakes/authorization-server.ts'
import type { TestDatabase } from '../../pg/database.ts'
import { askedFor } from '../asked-for.ts'
import { aKey } from '../bench.ts'

const keys = fileKeyStore(new Secret(aKey()))
export const SLOW = 20_000
let count = 0

/** A target whose secret is stored, two brokers, and what a lease of it wants. */
export async function aKeptTarget(db: TestDatabase) {
  const server = await anAuthorizationServer()
  const target = `api-${String((count += 1))}`
  const troubles: string[] = []
  const store = async () => {
    const pool = db.pool('procura_cdp', 1)
    const secret = { client_secret: CLIENT.secret, refresh_token: server.grant() }
    const vault = createVault({ tenant: 'main', pool, keys, looks: false })
    await vault.store(target, new Secret(JSON.stringify(secret)))
    await pool.end()
  }
  await store()
  const aBroker = (
    pool: Pick<Pool, 'query'> = db.pool('procura_cdp', 8),
    more: Pick<Keeping, 'times'> = {},
  ) =>
    createKeptTokens({
      ...{ tenant: 'main', pool, keys, ...more },
      trouble: (error) => troubles.push(String(error)),
    })
  const wantedFor = (lease: string): Wanted => wanted(server, target, lease)
  const tokenOf = async (broker: ReturnType<typeof aBroker>, signal = AbortSignal.timeout(SLOW)) =>
    await broker.tokenFor(wantedFor(await askedFor(db, target, { state: 'active' })), signal)
  const change = (sql: string) =>
    db.query(`update procura.target_token set ${sql} where target = $1`, [target])
  return { server, target, troubles, store, aBroker, wantedFor, tokenOf, change }
}

function wanted({ tokenUrl }: AuthorizationServer, target: string, lease: string): Wanted {
  const grant = RefreshToken.parse({ token_url: tokenUrl, client_id: CLIENT.id })
  const pinned = { address: '127.0.0.1', name: null }
  return {
    ...{ target, lease, settings: 'as they are' },
    endpoint: () => Promise.resolve({ url: new URL(tokenUrl), pinned, ca: undefined }),
    question: (secret, current) => byRefreshToken(grant, secret, current),
  }
}
