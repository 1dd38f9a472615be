/** Where an issuer's keys come from: asked seldom, for little, in no hurry of anybody else's making. */
import { createHmac, generateKeyPairSync, type JsonWebKey, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, expect } from 'vitest'
import { canonical } from '../../src/domain/json.ts'
import { aHolder, type Holder } from '../identity/signing.ts'
import { inOneHour, REFUNDING } from '../scenario/house.ts'
import { memberOf } from './adaptor.ts'
import { forge, headerBy, seconds } from './forging.ts'
import { twoBrokers, type World } from './house.ts'
import type { Answer } from './wire.ts'

const good = aHolder('ES256', 'good')
const short = weakHolder()
const forEncryption = aHolder('ES256', 'enc')
const secret = Buffer.from('a secret that everybody can read'.padEnd(32))
const oct = { kty: 'oct', kid: 'oct', k: secret.toString('base64url') }

function weakHolder(): Holder {
  const pair = generateKeyPairSync('rsa', { modulusLength: 512 })
  const jwk = pair.publicKey.export({ format: 'jwk' }) as Record<string, string>
  return { alg: 'RS256', ...pair, jwk: { ...jwk, kid: 'short' }, jkt: '' }
}

/** Serves each issuer's key set, good or not, and counts who asks. */
const hits = new Map<string, number>()
let isTurned = false
let canaryHits = 0
const canary = createServer((_req, res) => {
  canaryHits += 1
  res.end('{"keys":[]}')
}).listen(0, '127.0.0.1')
await once(canary, 'listening')
const canaryUrl = `http://127.0.0.1:${String((canary.address() as AddressInfo).port)}/`

const many = Array.from({ length: 10_000 }, (_, n): JsonWebKey & { kid: string } => ({
  ...good.jwk,
  kid: `k${String(n)}`,
}))
const SETS: Record<string, (res: ServerResponse) => void> = {
  plain: (res) => res.end(setOf(good.jwk)),
  mixed: (res) => res.end(setOf(oct, short.jwk, { ...forEncryption.jwk, use: 'enc' }, good.jwk)),
  many: (res) => res.end(setOf(...many)),
  huge: (res) => res.end(setOf({ ...good.jwk, x5c: 'A'.repeat(1_100_000) })),
  packed: (res) => res.setHeader('content-encoding', 'gzip').end(gzipSync(setOf(good.jwk))),
  slow: (res) => res.write('{"keys":['),
  elsewhere: (res) => res.writeHead(302, { location: canaryUrl }).end(),
  turning: (res) => {
    const how = isTurned ? SETS['elsewhere'] : SETS['plain']
    how?.(res)
  },
}
const setOf = (...keys: readonly object[]) => JSON.stringify({ keys })

const issuers = createServer((req: IncomingMessage, res) => {
  const name = (req.url ?? '').slice(1)
  hits.set(name, (hits.get(name) ?? 0) + 1)
  SETS[name]?.(res)
}).listen(0, '127.0.0.1')
await once(issuers, 'listening')
const issuersUrl = `http://127.0.0.1:${String((issuers.address() as AddressInfo).port)}`
afterAll(() => {
  for (const server of [canary, issuers]) {
    server.close()
    server.closeAllConnections()
  }
})

const { line } = twoBrokers({
  workloads: Object.keys(SETS).map((name) => ({
    ...{ kind: 'oidc', issuer: `https://${name}.example`, allow_http: true },
    jwks_uri: `${issuersUrl}/${name}`,
  })),
})

/** Asks for a session with a token of this issuer; `changed` in its header, signed by `by`. */
async function attest(w: World, name: string, { by = good, header = {}, at = 0 }: Attesting = {}) {
  const agent = await agentAt(w, name)
  const claims = { iss: `https://${name}.example`, sub: name, aud: w.issuer, jti: randomUUID() }
  const valid = { ...claims, iat: seconds(), exp: seconds() + 120 }
  const wt = forge({ holder: by, header: headerBy(by, 'JWT'), claims: valid }, { header })
  return await w.TK(agent, { wt, at })
}
interface Attesting {
  readonly by?: Holder
  readonly header?: Record<string, unknown>
  readonly at?: number
}

const known = new Map<string, World['agent']>()
async function agentAt(w: World, name: string) {
  const before = known.get(name)
  if (before !== undefined) return before
  const workload = { kind: 'oidc', issuer: `https://${name}.example`, subject: name }
  const id = memberOf(await w.accepted(w.AG({ name, workload })), 'id')
  const terms = { agent_id: id, expires_at: inOneHour(), max_uses: 10, ...REFUNDING }
  const consent = memberOf(await w.accepted(w.CO(terms)), 'id')
  const agent = { ...w.agent, id, consent, key: aHolder() }
  known.set(name, agent)
  return agent
}

const NO_KEYS = { status: 503, error: 'temporarily_unavailable', code: 'unavailable' } as const

line(
  '[AUT-22] a thousand unknown names of keys are two questions to their issuer at most',
  async (w) => {
    await w.accepted(attest(w, 'turning', { at: 0 }), 200) // Its time begins to run here.
    for (const at of [0, 1]) await w.accepted(attest(w, 'plain', { at }), 200)
    const before = hits.get('plain') ?? 0
    for (let from = 0; from < 1000; from += 25) {
      const some = Array.from({ length: 25 }, (_, n) => {
        const kid = randomUUID()
        return attest(w, 'plain', { by: short, header: { kid, alg: 'RS256' }, at: n % 2 })
      })
      for (const answer of await Promise.all(some)) {
        await w.refused(answer, { status: 401, code: 'invalid_client' })
      }
    }
    expect((hits.get('plain') ?? 0) - before).toBeLessThanOrEqual(2)
    await w.accepted(attest(w, 'plain'), 200)
  },
  { timeout: 60_000 },
)

line(
  '[AUT-23] bad keys in a set are passed over, and the good one beside them serves',
  async (w) => {
    const refused = { status: 401, code: 'invalid_client', log: 'kid' } as const
    await w.refused(attest(w, 'mixed', { by: short }), refused)
    await w.refused(attest(w, 'mixed', { by: forEncryption }), refused)
    await w.refused(attest(w, 'mixed', { header: { kid: 'oct' } }), refused)
    const parts = [
      { alg: 'HS256', kid: 'oct' },
      { iss: 'https://mixed.example', sub: 'mixed' },
    ]
    const input = parts.map((it) => Buffer.from(canonical(it)).toString('base64url')).join('.')
    const mac = createHmac('sha256', secret).update(input).digest('base64url')
    const wt = `${input}.${mac}`
    const forged = w.TK(await agentAt(w, 'mixed'), { wt })
    await w.refused(forged, { ...refused, log: 'alg_not_allowed' })
    await w.accepted(attest(w, 'mixed'), 200)
  },
)

line(
  '[AUT-23] a set that is too many, too much, packed or too slow is none, and soon',
  async (w) => {
    for (const name of ['many', 'huge', 'packed', 'slow']) {
      const began = performance.now()
      await w.refused(attest(w, name), NO_KEYS)
      expect(performance.now() - began, name).toBeLessThan(5_000)
    }
    await w.accepted(attest(w, 'plain'), 200)
  },
  { isOnce: true },
)

line(
  '[AUT-24] a key set that has moved is not looked for; the last good one serves on',
  async (w) => {
    await w.refused(attest(w, 'elsewhere'), NO_KEYS)
    await w.accepted(attest(w, 'turning'), 200)
    isTurned = true
    const before = hits.get('turning') ?? 0
    const unknown = () => attest(w, 'turning', { header: { kid: 'another' } })
    let answer: Answer = await unknown()
    for (const began = performance.now(); performance.now() - began < 45_000;) {
      if ((hits.get('turning') ?? 0) > before) break
      await w.refused(answer, { status: 401, code: 'invalid_client', log: 'kid' })
      await pause(500)
      answer = await unknown()
    }
    await w.refused(answer, NO_KEYS)
    await w.accepted(attest(w, 'turning'), 200)
    expect(canaryHits).toBe(0)
  },
  { timeout: 90_000, isOnce: true },
)
