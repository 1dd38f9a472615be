/** What opening a session costs: under a consent, with a whole chain, with the last hop of a known one. */
import type { Contender } from './contender.ts'
import type { PostgresMeter } from './machine.ts'
import type { Standing } from './standing.ts'
import { type Side, withClient } from './world.ts'

/** Of one round: enough for PostgreSQL's time, which is told in hundredths of a second. */
export const OPENINGS = 192
const CALLERS = 32

export interface Opening {
  readonly what: string
  readonly depth: number
  /** Hops that this opening puts on record, beside the session. */
  readonly registers: number
  readonly leafAlone: boolean
}

/** A session, in microseconds of CPU, and milliseconds that it took. */
export interface OpeningCost {
  readonly opening: Opening
  readonly cpuMicros: number
  readonly postgresMicros: number
  readonly tookMs: readonly number[]
}

export function openingsAt(depth: number): Opening[] {
  if (depth === 0) return [{ what: 'consent', depth, registers: 0, leafAlone: false }]
  return [
    { what: 'whole chain, first time', depth, registers: depth, leafAlone: false },
    { what: 'whole chain, on record', depth, registers: 0, leafAlone: false },
    { what: 'last hop alone', depth, registers: 0, leafAlone: true },
  ]
}

/** @throws Error, and the run is void, unless each left a session's entry and one for each hop it registers */
export async function openAll(
  { server, side }: Contender,
  opening: Opening,
  { standings, postgres }: { readonly standings: Standing[]; readonly postgres: PostgresMeter },
): Promise<OpeningCost> {
  if (standings.length === 0) throw new Error('there is nobody to open a session')
  const since = await nextIndex(side)
  const before = { ...(await server.read()), postgres: postgres.cpuMicros() }
  const tookMs = await inLanes(standings, (standing) => standing.open(opening.leafAlone))
  const after = { ...(await server.read()), postgres: postgres.cpuMicros() }
  const expected = { sessions: standings.length, hops: opening.registers * standings.length }
  const found = await entriesSince(side, since)
  if (found.sessions !== expected.sessions || found.hops !== expected.hops) {
    const told = `${JSON.stringify(found)} on record for ${JSON.stringify(expected)}`
    throw new Error(`the run is void: ${opening.what} left ${told}`)
  }
  const each = (from: number, to: number) => (to - from) / standings.length
  return {
    ...{ opening, tookMs },
    cpuMicros: each(before.cpuMicros, after.cpuMicros),
    postgresMicros: each(before.postgres, after.postgres),
  }
}

/** All of these, 32 at a time; how long each took, in milliseconds. */
export async function inLanes<T>(all: readonly T[], work: (one: T) => Promise<unknown>) {
  const took: number[] = []
  const left = all.values()
  const lane = async () => {
    for (const one of left) {
      const began = performance.now()
      await work(one)
      took.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, lane))
  return took
}

async function nextIndex({ databaseUrl }: Side): Promise<number> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ next: string }>(
      `select coalesce(max(index) + 1, 0) as next from ledger.leaf where tenant = 'main'`,
    )
    return Number(rows[0]?.next)
  })
}

async function entriesSince({ databaseUrl }: Side, index: number) {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ sessions: string; hops: string }>(
      `select count(*) filter (where event_type = 'session_issued') as sessions,
              count(*) filter (where event_type = 'delegation_registered') as hops
       from ledger.leaf where tenant = 'main' and index >= $1`,
      [index],
    )
    return { sessions: Number(rows[0]?.sessions), hops: Number(rows[0]?.hops) }
  })
}
