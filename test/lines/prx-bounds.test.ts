/** How long a call goes on, and how much of an answer there is: at most what was said, and not once it is stopped. */
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { isDecidingQuickly } from './deciding-quickly.ts'
import { brokersFor, GET, LOOPBACK, outcomes, type ProxyWorld, READ, refused } from './proxied.ts'
import { anUpstream, echo, type Upstream } from './upstream.ts'
import { printable } from './wire.ts'
import { withhold } from './withheld.ts'

const MIB = 1024 * 1024
const POLLING = { interval: 200, timeout: 60_000 }

let w: ProxyWorld
let upstream: Upstream

beforeAll(async () => {
  upstream = await anUpstream()
  const base_url = `http://127.0.0.1:${String(upstream.port)}`
  const at: JsonObject = { base_url, private_addresses: LOOPBACK, timeout_ms: 2000 }
  w = await brokersFor({
    api: at,
    small: { ...at, response_bytes_max: 10_000 },
    large: { ...at, response_bytes_max: 64 * MIB },
    huge: { ...at, response_bytes_max: 256 * MIB },
  })
  await afterTheStart()
}, 120_000)

const reading = (api: string) => w.lease(w.agent, `${api}.read`, READ)

describe('how long, and how much', () => {
  it('[PRX-16] is waited for is bounded: 504, and the lease is spent', async () => {
    upstream.answer = () => undefined
    const id = await reading('api')
    const since = performance.now()
    await refused(w.call(w.agent, id, GET), 504, 'downstream_timeout')
    expect(performance.now() - since).toBeLessThan(10_000)
    expect(await outcomes(w, id)).toEqual([['unknown', undefined, 'downstream_timeout']])
    expect(await w.stateOf(w.agent, id)).toBe('redeemed')
  })

  it.each([500, 503, 429, 404])(
    '[F49] is told as it was answered: a %i of the target, for which the lease is spent',
    async (status) => {
      upstream.answer = (_request, response) => {
        response.writeHead(status, { 'retry-after': '7' }).end('not now')
      }
      const id = await reading('api')
      const answer = await w.call(w.agent, id, GET)
      const { headers, text } = answer
      const told = [headers.get('procura-upstream-status'), headers.get('retry-after'), text]
      expect([answer.status, ...told]).toEqual([status, String(status), '7', 'not now'])
      expect(await outcomes(w, id)).toEqual([
        ['occurred', `${String(Math.floor(status / 100))}xx`, null],
      ])
      await refused(w.call(w.agent, id, GET), 410, 'credential_gone')
    },
  )

  it('[PRX-16] is passed on is bounded: an endless answer is cut, and takes no memory', async () => {
    upstream.answer = (_request, response) => {
      endless(response)
    }
    await refused(w.call(w.agent, await reading('small'), GET), 502, 'downstream_failed')
    const [, before] = await watched(w.stream(w.agent, await reading('large'), GET))
    const id = await reading('huge')
    const [{ status, bytes, isWhole }, most] = await watched(w.stream(w.agent, id, GET))
    expect([status, isWhole]).toEqual([200, false])
    expect(bytes).toBeGreaterThan(255 * MIB)
    expect(bytes).toBeLessThanOrEqual(256 * MIB)
    expect(most - before).toBeLessThan(50)
    expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'too_large']])
  })

  it.each([
    ['the agent is stopped', (): JsonObject => ({ kind: 'agent', id: w.agent.id })],
    ['its credential is stopped', (id: string): JsonObject => ({ kind: 'credential', id })],
    ['everything is frozen', () => null],
  ])('[PRX-19] is cut within five seconds when %s', async (_what, target) => {
    upstream.answer = (_request, response) => {
      slowly(response)
    }
    const agent = await w.anAgent({ terms: w.terms })
    const id = await w.lease(agent, 'api.read', READ)
    const from = upstream.seen.length
    const call = w.stream(agent, id, GET, 1)
    await until(() => upstream.seen.length > from)
    await pause(1500)
    const stop = target(id)
    if (stop?.['kind'] === 'agent') stop['id'] = agent.id
    try {
      const since = performance.now()
      await stopped(stop)
      const { status, isWhole, text } = await call
      const tookMs = performance.now() - since
      expect([status, isWhole]).toEqual([200, false])
      expect(text).toContain('tick tick')
      expect(tookMs).toBeLessThan(5000)
      expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'revoked']])
    } finally {
      if (stop === null) await frozen('lifted')
    }
  })
})

describe('when it cannot be put on record', () => {
  it('a call is not made: no ledger, no call', async () => {
    upstream.answer = echo
    const id = await reading('api')
    const from = upstream.seen.length
    const st = await w.ST(w.agent)
    const held = await withhold(w, 'ledger.leaf')
    const answer = w.call(w.agent, id, GET, { st })
    await held.isWaitedFor()
    const told = await answer
    await held.release()
    expect(told.status, printable(told)).toBe(503)
    expect(upstream.seen.length).toBe(from)
  })

  it('what came of it is not known, and it is not made again: its broker was killed', async () => {
    upstream.answer = () => undefined
    const id = await reading('api')
    const st = await w.ST(w.agent)
    const from = upstream.seen.length
    const call = w.stream(w.agent, id, GET).catch(() => null)
    await until(() => upstream.seen.length > from)
    w.brokers[0]?.signal('SIGKILL')
    expect(await call).toBeNull()
    await refused(w.call(w.agent, id, GET, { st, at: 1 }), 410, 'credential_gone')
    const usage = await w.database.query<{ effect: JsonObject }>(
      `select entry::jsonb -> 'effect' as effect from ledger.leaf
       where event_type = 'usage' and entry::jsonb -> 'credential' ->> 'id' = $1`,
      [id],
    )
    expect(usage.map(({ effect }) => effect['observed'])).toEqual(['unknown'])
    expect(upstream.seen.length).toBe(from + 1)
  })
})

async function stopped(target: JsonObject | null): Promise<void> {
  if (target === null) {
    await frozen('frozen')
    return
  }
  const body = { target, cause: 'operator_action' }
  const answer = await w.asBearer(w.PT('lee'), 'POST', '/v1/revocations', { body })
  expect(answer.status, printable(answer)).toBe(201)
}

async function frozen(state: string): Promise<void> {
  const body = { scope: { kind: 'everything' }, state, cause: 'operator_action', reason: 'a test' }
  const answer = await w.asBearer(w.PT('lee'), 'POST', '/v1/freeze', { body })
  expect(answer.status, printable(answer)).toBe(201)
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!condition() && performance.now() < deadline) await pause(20)
  expect(condition()).toBe(true)
}

function endless(response: ServerResponse): void {
  const chunk = 'y'.repeat(65_536)
  const next = () => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', next)
  }
  next()
}

function slowly(response: ServerResponse): void {
  const timer = setInterval(() => response.write('tick '), 100)
  response.once('close', () => {
    clearInterval(timer)
  })
}

/** Compiled rules decide: the thread that held them against Cedar is over. */
async function afterTheStart(): Promise<void> {
  await vi.waitUntil(async () => {
    await reading('api')
    return await isDecidingQuickly(w.brokers[0]?.port ?? 0)
  }, POLLING)
}

/** What came of it, and the most that the broker had in memory meanwhile. */
async function watched<T>(work: Promise<T>): Promise<[T, number]> {
  let most = 0
  const look = setInterval(() => {
    most = Math.max(most, residentMb())
  }, 5)
  try {
    return [await work, most]
  } finally {
    clearInterval(look)
  }
}

function residentMb(): number {
  const status = readFileSync(`/proc/${String(w.brokers[0]?.pid)}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
