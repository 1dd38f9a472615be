/** Tokens of a server that nobody here wrote, which ends a grant where a refresh token is shown twice. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ClientCredentials, RefreshToken } from '../../../src/delivery/connectors/http/grants.ts'
import type { Grant } from '../../../src/delivery/connectors/http/settings.ts'
import { fileKeyStore } from '../../../src/delivery/key-store.ts'
import { createTokens } from '../../../src/delivery/proxy/tokens.ts'
import { createVault } from '../../../src/delivery/seal.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { CLIENT } from '../../fakes/authorization-server.ts'
import { type OidcProvider, startOidcProvider } from '../../parts/oidc-provider.ts'
import { freshDatabase, type TestDatabase } from '../../pg/database.ts'
import { askedFor } from '../asked-for.ts'
import { aKey, anIntent, aSigner, now } from '../bench.ts'

const keys = fileKeyStore(new Secret(aKey()))

describe('oidc-provider', () => {
  let db: TestDatabase
  let server: OidcProvider
  beforeAll(async () => {
    db = await freshDatabase()
    server = await startOidcProvider(CLIENT)
  })
  afterAll(async () => {
    await server.stop()
  })

  const aBroker = () =>
    createTokens({
      ...{ tenant: 'main', pool: db.pool('procura_cdp'), keys, credentials: aSigner(), clock: now },
    })
  const [pinned, ca] = [{ address: '127.0.0.1', name: null }, undefined]

  /** A token for a new lease of this target. */
  async function tokenOf(target: string, secret: string, grant: Grant, broker = aBroker()) {
    const downstreamName = await askedFor(db, target, { state: 'active' })
    const { token } = await broker.tokenFor({
      ...{ grant, secret, intent: anIntent({ target, downstreamName, connector: 'http' }) },
      endpoint: () => Promise.resolve({ url: new URL(server.tokenUrl), pinned, ca }),
      signal: AbortSignal.timeout(10_000),
    })
    expect(await server.takes(token)).toBe(true)
    return token
  }
  async function stored(target: string, secret: string) {
    const pool = db.pool('procura_cdp', 1)
    const vault = createVault({ tenant: 'main', pool, keys, looks: false })
    await vault.store(target, new Secret(secret))
  }
  const at = () => ({ token_url: server.tokenUrl, client_id: CLIENT.id })

  it.each(['basic', 'post'] as const)(
    'gives a client tokens, which shows itself by %s',
    async (by) => {
      const of = { ...at(), authentication: by }
      await stored(by, CLIENT.secret)
      const once = { kind: 'client_credentials', ...ClientCredentials.parse(of) } as const
      const tokens = [1, 2].map(() => tokenOf(by, CLIENT.secret, once))
      expect(new Set(await Promise.all(tokens)).size).toBe(2)
      const kept = [1, 2].map(() => tokenOf(by, CLIENT.secret, { ...once, keep: true }))
      expect(new Set(await Promise.all(kept)).size).toBe(1)
    },
  )

  it('gives two brokers one token after the other, and never ends the grant', async () => {
    const grant = { kind: 'refresh_token', ...RefreshToken.parse(at()) } as const
    const secret = JSON.stringify({
      ...{ client_secret: CLIENT.secret, refresh_token: await server.grant() },
    })
    await stored('rotating', secret)
    const brokers = [aBroker(), aBroker()]
    const before = server.asked()
    const seen = new Set<string>()
    for (let n = 1; n <= 5; n += 1) {
      const calls = Array.from({ length: 8 }, (_, m) =>
        tokenOf('rotating', secret, grant, brokers[m % 2]),
      )
      for (const token of await Promise.all(calls)) seen.add(token)
      await db.query('update procura.target_token set usable_until = now()')
    }
    expect([seen.size, server.asked() - before]).toEqual([5, 5])
  })
})
