/** A call that is spent, up to where it is sent: with a target, and a token endpoint, on loopback. */
import { describe, expect, it } from 'vitest'
import {
  Permissions,
  Settings,
  tokenUrlOf,
} from '../../../src/delivery/connectors/http/settings.ts'
import { fileKeyStore } from '../../../src/delivery/key-store.ts'
import { made } from '../../../src/delivery/proxy/making.ts'
import { createTokens } from '../../../src/delivery/proxy/tokens.ts'
import type { LedgerEntry } from '../../../src/domain/entry.ts'
import type { Ledger } from '../../../src/domain/ports.ts'
import { bySystem } from '../../../src/domain/request.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { anUpstream } from '../../lines/upstream.ts'
import { aKey, anIntent, aSigner } from '../bench.ts'

const permissions = Permissions.parse({
  ...{ method: 'GET', template: '/things', path: '/things', query: {} },
  ...{ body_sha256: null, headers: {} },
})

/** Keeps what is recorded, in a transaction of nothing. */
function aLedger() {
  const entries: LedgerEntry[] = []
  const ledger = {
    async record(_key: unknown, work: (tx: never) => Promise<{ entries: LedgerEntry[] }>) {
      entries.push(...(await work(undefined as never)).entries)
    },
  } as unknown as Ledger
  return { ledger, entries }
}

/** A call whose token comes when the lease is over, or before. */
async function aCall(isOver: boolean) {
  const [target, issuer] = [await anUpstream(), await anUpstream()]
  const intent = anIntent({ connector: 'http', target: 'things', senderConstraint: 'proxy' })
  let now = intent.issuedAt
  issuer.answer = (_seen, response) => {
    if (isOver) now = intent.expiresAt
    response.end(JSON.stringify({ access_token: 'a-token-of-one-call', token_type: 'Bearer' }))
  }
  const at = (port: number) => `http://127.0.0.1:${String(port)}`
  const settings = Settings.parse({
    ...{ base_url: at(target.port), insecure_http: true },
    allow: [{ methods: ['GET'], paths: ['/things'] }],
    inject: { client_credentials: { token_url: `${at(issuer.port)}/token`, client_id: 'us' } },
  })
  const { ledger, entries } = aLedger()
  let left = 0
  const leave = () => {
    left += 1
  }
  const secret = new Secret('the secret of a client')
  const clock = () => now
  const options = {
    ...{ tenant: 'main', ledger, clock },
    secrets: { use: <T>(_target: string, work: (secret: Secret) => Promise<T>) => work(secret) },
    tokens: createTokens({
      ...{ tenant: 'main', keys: fileKeyStore(new Secret(aKey())), credentials: aSigner(), clock },
      pool: { query: () => Promise.reject(new Error('nothing is kept')) } as never,
    }),
  }
  const called = {
    ...{ lease: intent.lease, method: 'GET', path: '/things', query: '', headers: {} },
    ...{ body: new Uint8Array(), left: new AbortController().signal },
  }
  const live = { watch: () => () => undefined }
  const act = bySystem('req-1')
  const found = { intent, settings, permissions, leftMs: 60_000 }
  const pinned = { address: '127.0.0.1', name: null }
  const url = new URL(tokenUrlOf(settings.inject) ?? '')
  const answer = made(
    { options, live, leave, act, called, ...found },
    {
      ...{ base: new URL(settings.base_url), pinned, body: null },
      tokenEndpoint: () => Promise.resolve({ url, ca: undefined, pinned }),
    },
  )
  return { answer, target, entries, left: () => left }
}

describe('a call that needs a token', () => {
  it('is sent with it while its lease lasts', async () => {
    const { answer, target } = await aCall(false)
    const { status, over } = await answer
    await over
    expect(status).toBe(200)
    expect(target.seen[0]?.headers.authorization).toBe('Bearer a-token-of-one-call')
  })

  it('[PRX-19] is not sent where the token came when its lease was over', async () => {
    const { answer, target, entries, left } = await aCall(true)
    await expect(answer).rejects.toMatchObject({ code: 'credential_gone' })
    expect(target.connections()).toBe(0)
    expect(entries).toMatchObject([{ call: { observed: 'none', reason: 'expired' } }])
    expect(left()).toBe(1)
  })
})
