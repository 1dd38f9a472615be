/** A flood from another process and another address, and what the others get meanwhile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { canonical, parseTrusted } from '../../src/domain/json.ts'
import { type Agent, BODY } from './adaptor.ts'
import { forgeProof } from './forging.ts'
import { isDecidingQuickly } from './deciding-quickly.ts'
import type { World } from './house.ts'
import { checkHeld, HELD_MS_MAX } from './held.ts'
import { metered } from './metering.ts'
import type { Answer } from './wire.ts'

export interface Flood {
  readonly ports: readonly number[]
  /** Sent in turn, over and over. */
  readonly requests: readonly FloodRequest[]
  readonly perSecond: number
  readonly seconds: number
  /** Any address of 127.0.0.0/8 is this machine. */
  readonly from: string
}
export interface FloodRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

const MAIN = join(import.meta.dirname, 'flood-process.ts')

/** How often each status, or failure, came. */
export async function flooded(flood: Flood): Promise<Readonly<Record<string, number>>> {
  const child = spawn(process.execPath, [MAIN], { stdio: ['pipe', 'pipe', 'inherit'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stdin.end(JSON.stringify(flood))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`the flood ended with ${String(code)}`)
  return parseTrusted(Buffer.concat(chunks).toString()) as Record<string, number>
}

/** Asks at a rate for that long, whether or not it was answered; each answer's time, in order of size. */
export async function paced(
  ask: () => Promise<Answer>,
  { perSecond, seconds }: { perSecond: number; seconds: number },
) {
  const asked: Promise<{ ms: number; status: string }>[] = []
  for (let at = 0; at < perSecond * seconds; at += 1) {
    const startedAt = performance.now()
    asked.push(
      ask().then(({ status, body }) => {
        const ms = performance.now() - startedAt
        return {
          ms,
          status:
            status < 400 ? String(status) : `${String(status)} ${JSON.stringify(body['detail'])}`,
        }
      }),
    )
    await pause(1000 / perSecond)
  }
  const answers = await Promise.all(asked)
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  const at = (share: number) => times[Math.ceil(times.length * share) - 1] ?? Infinity
  return { p50: at(0.5), p99: at(0.99), statuses: new Set(answers.map(({ status }) => status)) }
}

/** What the others get while somebody floods; against a flood of what costs nothing, it is the cost. */
export async function meanwhileOf(ask: () => Promise<Answer>, perSecond: number, flood: Flood) {
  const startedAt = performance.now()
  const flooding = flooded(flood)
  const others = await paced(ask, { perSecond, seconds: flood.seconds })
  const statuses = await flooding
  return { ...others, flood: statuses, seconds: (performance.now() - startedAt) / 1000 }
}

/** Before it is looked at how long answers take. */
export async function afterTheStart(w: World): Promise<void> {
  const looks = w.brokers.map(async ({ port }, at) => {
    const isOver = async () => {
      await w.control(at)
      return await isDecidingQuickly(port)
    }
    await expect.poll(isOver, { timeout: 60_000, interval: 250 }).toBe(true)
  })
  await Promise.all(looks)
}

/**
 * Nobody else gets their answers `times` slower, in the middle or at the slow end, and no turn of a
 * broker's loop is a long one. Looked at up to three times: what is slow is slow every time, and a machine
 * that was busy with something else is not.
 */
export async function expectNoSlower(
  { brokers }: Pick<World, 'brokers'>,
  times: number,
  look: () => Promise<Compared>,
): Promise<void> {
  const told: string[] = []
  while (told.length < LOOKS_MAX) {
    // Not by the look, which has not begun: by what came before it.
    checkHeld(await heldMsOf(brokers))
    const { before, meanwhile } = await look()
    const heldMs = await heldMsOf(brokers)
    const isQuick = (['p50', 'p99'] as const).every(
      (of) => meanwhile[of] < before[of] * times + NOISE_MS,
    )
    if (isQuick && heldMs < HELD_MS_MAX) return
    told.push(
      `${shown(before)} before, ${shown(meanwhile)} meanwhile, one turn ${String(heldMs)} ms`,
    )
  }
  expect.fail(`${String(times)} times slower, or held, each time: ${told.join('; ')}`)
}

/** The longest turn since this was last asked. */
async function heldMsOf(brokers: World['brokers']): Promise<number> {
  const turns = await Promise.all(brokers.map(metered))
  return Math.max(...turns.map(({ heldMs }) => heldMs))
}

interface Compared {
  readonly before: Pace
  readonly meanwhile: Pace
}
type Pace = Pick<Awaited<ReturnType<typeof paced>>, 'p50' | 'p99'>

const shown = ({ p50, p99 }: Pace) => `${p50.toFixed(0)}/${p99.toFixed(0)} ms`
const LOOKS_MAX = 3
/** What a machine that does something else as well adds to any answer, now and then. */
const NOISE_MS = 100

export const ALIVE: FloodRequest = { method: 'GET', path: '/livez', headers: {} }

/** A valid credential request, unless somebody else signs; each with a proof of its own. */
export function made(w: World, agent: Agent, st: string, by = agent.key): FloodRequest {
  const [path, body] = ['/v1/credentials', canonical(BODY)]
  const about = { method: 'POST', url: w.issuer + path, token: st, body, nonce: w.nonce() }
  const headers = {
    ...{ authorization: `DPoP ${st}`, 'content-type': 'application/json' },
    dpop: forgeProof(agent.key, about, { by }),
  }
  return { method: 'POST', path, headers, body }
}
