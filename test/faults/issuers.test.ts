/** Whoever signs for people cannot be asked for its keys, says nonsense, or has other keys than a moment ago. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DEV_ISSUER } from '../../src/cli/dev/issuer.ts'
import { textIn } from '../../src/cli/member.ts'
import { generateKey, type Key } from '../../src/client/key.ts'
import { isObject, parseTrusted } from '../../src/domain/json.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { type BrokerProcess, startBroker } from '../scenario/broker.ts'
import { aHouse, eventually } from '../scenario/house.ts'
import { changeTrust } from './world.ts'

const MINUTE = 60_000
/** As src/identity has them: a set is asked for again after that, a stale one is not used after that. */
const [FRESH, STALE, COOLDOWN] = [5 * MINUTE, 60 * MINUTE, 30_000]
/** A token that was verified is not verified again for as long. */
const KEPT = MINUTE

const [one, two, three] = [generateKey(), generateKey(), generateKey()]
let published: readonly Key[] = [one]
let hits = 0
const good: RequestListener = (_req, res) => {
  const keys = published.map((key) => ({ ...key.publicJwk, kid: key.jkt, alg: 'ES256' }))
  res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
}
let answer = good
const endpoint = createServer((req, res) => {
  hits += 1
  answer(req, res)
})
afterAll(() => {
  endpoint.closeAllConnections()
  endpoint.close()
})

let broker: BrokerProcess
let laterMs = 0
let file: string
beforeAll(async () => {
  await once(endpoint.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${String((endpoint.address() as AddressInfo).port)}/jwks`
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  changeTrust(home, (trust) => {
    const [person] = Array.isArray(trust['people']) ? trust['people'] : []
    if (!isObject(person ?? null)) throw new Error('nobody is trusted')
    Object.assign(person as object, { jwks: undefined, jwks_uri: url, allow_http: true })
  })
  file = join(home.dataDir, 'later')
  writeFileSync(file, '0')
  const preload = join(import.meta.dirname, 'later.ts')
  const later = { NODE_OPTIONS: `--import=${preload}`, FAULT_LATER: file }
  broker = await startBroker({ ...home.env, ...later })
}, 60_000)

/** Resolves when the broker knows that it is that much later. Its machine knows at once, and it is not ready. */
async function passes(ms: number): Promise<void> {
  laterMs += ms
  writeFileSync(file, String(laterMs))
  broker.signal('SIGUSR2')
  const said = `later ${String(laterMs)}\n`
  await eventually('a difference', () => Promise.resolve(broker.stderr().includes(said)))
  await eventually('its clock being right', isReady)
}

const isReady = async () => (await fetch(`${broker.issuer}/readyz`)).status === 200

let people = 0
/** A person's token that nobody has seen yet, good for two hours. */
function token(key: Key): string {
  const now = Math.floor((Date.now() + laterMs) / 1000)
  const roles = { roles: ['sponsor'], groups: [], name: 'Somebody' }
  people += 1
  const claims = { iss: DEV_ISSUER, sub: `person-${String(people)}`, aud: broker.issuer, ...roles }
  return key.sign('JWT', { ...claims, iat: now, exp: now + 7200 }, { kid: key.jkt })
}

/** What whoever shows it is told: 200, or the code of the refusal and what is missing. */
async function told(shown: string): Promise<string> {
  const headers = { authorization: `Bearer ${shown}` }
  const response = await fetch(`${broker.issuer}/v1/consents`, { headers })
  const body = parseTrusted(await response.text())
  if (response.status === 200 || !isObject(body)) return String(response.status)
  const { evaluation = null } = body
  const missing = isObject(evaluation) ? ` ${textIn(evaluation, 'unavailable_input')}` : ''
  return `${String(response.status)} ${textIn(body, 'code')}${missing}`
}

const BAD: readonly (readonly [string, RequestListener])[] = [
  ['nothing', (_req, res) => res.destroy()],
  ['an error', (_req, res) => res.writeHead(500).end()],
  ['garbage', (_req, res) => res.end('<html>')],
  ['no keys at all', (_req, res) => res.end('[]')],
]

it('[F44] keys that cannot be had are used as they were for an hour; then nobody is believed, and nobody refused', async () => {
  expect(await told(token(one))).toBe('200')
  for (const [what, bad] of BAD) {
    answer = bad
    await passes(FRESH + 1000)
    const before = hits
    expect(await told(token(one)), what).toBe('200')
    expect(hits, what).toBe(before + 1)
    // Whose key it may be cannot be known: that is no refusal, and no yes.
    expect(await told(token(two)), what).toBe('503 unavailable keys')
  }
  await passes(STALE - BAD.length * FRESH)
  expect(await told(token(one))).toBe('503 unavailable keys')
  expect(await told(token(two))).toBe('503 unavailable keys')

  answer = good
  await passes(COOLDOWN + 1000)
  expect(await told(token(one))).toBe('200')
  expect(await told(token(two))).toBe('401 invalid_token')
}, 120_000)

it('[F45] keys that are changed twice within a minute cost one look each', async () => {
  await passes(FRESH + 1000)
  expect(await told(token(one))).toBe('200')
  for (const key of [two, three]) {
    published = [key]
    await passes(COOLDOWN)
    const before = hits
    const first = await Promise.all([told(token(key)), told(token(key)), told(token(key))])
    expect(first).toEqual(['200', '200', '200'])
    expect(hits).toBe(before + 1)
  }
  expect(await told(token(one)), 'it is not among them any more').toBe('401 invalid_token')
}, 60_000)

it('[F45] a key that was taken away is good for as long as a set is kept, also for a token that was good', async () => {
  published = [one, three]
  await passes(FRESH + 1000)
  expect(await told(token(one))).toBe('200')
  published = [three]
  await passes(FRESH - KEPT)
  const shown = token(one)
  expect(await told(shown), 'nobody has asked since').toBe('200')
  await passes(KEPT + 1000)
  expect(await told(token(one))).toBe('401 invalid_token')
  expect(await told(shown)).toBe('401 invalid_token')
  expect(await told(token(three))).toBe('200')
}, 60_000)
