/**
 * Where the load comes from: a process of its own, so that what it costs is not in anybody's way unseen.
 * Each request has a fresh proof, signed as it is sent.
 */
import { createHash, randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { importKey, type Key } from '../src/client/key.ts'
import { isObject, type JsonObject, parseTrusted } from '../src/domain/json.ts'
import type { Driven, Minted, Order } from './load-order.ts'

const SAMPLE_MS = 500
const SOCKETS_MAX = 512
const BODY = JSON.stringify({
  arguments: { amount: 900, currency: 'EUR', order_id: 'EU-2026/10231' },
  tool: 'payments.refund',
})
const BODY_SHA256 = createHash('sha256').update(BODY).digest('base64url')

interface Run {
  readonly key: Key
  readonly authorization: string
  readonly ath: string
}

let nonce: string | undefined
const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, scheduling: 'fifo' })

process.on('message', (order: Order) => {
  follow(order).then(
    (driven) => process.send?.({ driven }),
    (error: unknown) => {
      process.send?.({ failed: error instanceof Error ? error.message : String(error) })
    },
  )
})
process.on('disconnect', () => {
  process.exit()
})

async function follow(order: Order): Promise<Driven> {
  const runs = order.runs.map(({ jwk, token }) => ({
    key: importKey(jwk),
    authorization: `DPoP ${token}`,
    ath: createHash('sha256').update(token).digest('base64url'),
  }))
  const url = new URL('/v1/credentials', order.issuer)
  const latencies: number[] = []
  const state = { mint: () => mint(url, next(runs)), latencies, sampledAt: 0 }
  await state.mint() // The nonce is asked for once; connections and code are warm.
  const cpu = process.cpuUsage()
  const began = performance.now()
  await (order.kind === 'closed' ? closed(order, state) : open(order, state))
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - began) / 1000
  return { mints: latencies.length, extra: 1, seconds, latencies, loadMicros: user + system }
}

let turn = 0
function next(runs: readonly Run[]): Run {
  const run = runs[(turn += 1) % runs.length]
  if (run === undefined) throw new Error('there are no runs')
  return run
}

interface Load {
  readonly mint: () => Promise<Minted>
  readonly latencies: number[]
  sampledAt: number
}

/** Each caller asks for the next when it has got the last. */
async function closed({ callers, seconds }: Order & { kind: 'closed' }, load: Load): Promise<void> {
  const end = performance.now() + seconds * 1000
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let sent = performance.now(); sent < end; sent = performance.now()) {
        note(load, sent, await load.mint())
      }
    }),
  )
}

/** Arrivals on a schedule, whatever the server does: each is timed from when it was due. */
async function open({ rate, seconds }: Order & { kind: 'open' }, load: Load): Promise<void> {
  const began = performance.now()
  const due = (nth: number) => began + (nth * 1000) / rate
  const total = Math.floor(rate * seconds)
  const pending: Promise<void>[] = []
  const failures: unknown[] = []
  const arrive = async (at: number) => {
    try {
      note(load, at, await load.mint())
    } catch (error) {
      failures.push(error)
    }
  }
  for (let nth = 0; nth < total && failures.length === 0;) {
    for (; nth < total && due(nth) <= performance.now(); nth += 1) pending.push(arrive(due(nth)))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(pending)
  if (failures.length > 0) throw failures[0]
}

/** Now and then whoever drives is told of one, to look for it in the ledger. */
function note(load: Load, since: number, minted: Minted): void {
  const now = performance.now()
  load.latencies.push(now - since)
  if (now - load.sampledAt < SAMPLE_MS) return
  load.sampledAt = now
  process.send?.({ minted })
}

/** @throws Error for any answer but a credential */
async function mint(url: URL, run: Run): Promise<Minted> {
  for (let tries = 1; ; tries += 1) {
    const { status, body } = await send(url, run)
    if (status === 201) return mintedIn(body)
    if (status === 401 && tries === 1 && body.includes('use_dpop_nonce')) continue
    throw new Error(`a mint was answered with ${String(status)}: ${body.slice(0, 300)}`)
  }
}

function mintedIn(body: string): Minted {
  const answer = parseTrusted(body)
  const { id, event_id: event = null } = isObject(answer) ? answer : {}
  if (typeof id !== 'string') throw new Error('an answer is no credential')
  return { id, event: typeof event === 'string' ? event : null }
}

function send(url: URL, run: Run): Promise<{ status: number; body: string }> {
  const headers = {
    ...{ 'content-type': 'application/json', 'content-length': BODY.length },
    ...{ authorization: run.authorization, dpop: proofOf(url, run) },
    'idempotency-key': randomUUID(),
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
      const told = answer.headers['dpop-nonce']
      if (typeof told === 'string') nonce = told
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString() })
      })
    })
    sent.on('error', reject)
    sent.setNoDelay(true)
    sent.end(BODY)
  })
}

/** RFC 9449 §4.2, and the digest of the body. */
function proofOf(url: URL, { key, ath }: Run): string {
  const claims: JsonObject = {
    ...{ jti: randomUUID(), htm: 'POST', htu: url.href, iat: Math.floor(Date.now() / 1000) },
    ...{ ath, body_sha256: BODY_SHA256 },
    ...(nonce === undefined ? {} : { nonce }),
  }
  return key.sign('dpop+jwt', claims, { jwk: key.publicJwk })
}
