/** One turn of one server: driven, and everything that was used and written meanwhile counted. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Client } from 'pg'
import { createCaller } from '../src/client/person.ts'
import type { Contender } from './contender.ts'
import { markOf, type Written, writtenSince } from './count.ts'
import { createJournal } from './journal.ts'
import type { Load } from './load.ts'
import type { Driven } from './load-order.ts'
import type { PostgresMeter } from './machine.ts'
import { type BenchWorld, withClient } from './world.ts'

/** Twice so long: V8 compiles two workers for 15 seconds under load, and they take a quarter more CPU until then. */
const WARM_UP_SECONDS = 8
/** For what is warm, and is asked in another way. */
export const BRIEFLY_SECONDS = 2
/** The load begins a little later than it is asked to, and ends when the last is answered. */
const AROUND_SECONDS = 3
const TELL_MS = 5000
const DUE_MS = 300_000
export const MOST_CALLERS = 32

/** So many callers in a closed loop, or so many arrivals a second. */
export type Shape =
  | { readonly kind: 'closed'; readonly callers: number; readonly seconds: number }
  | { readonly kind: 'open'; readonly rate: number; readonly seconds: number }

export interface Turn extends Driven, Written {
  readonly server: Contender['name']
  readonly workers: number
  readonly shape: Shape
  /** Of the server's processes. */
  readonly cpuMicros: number
  readonly rssBytes: number
  /** Of PostgreSQL's. */
  readonly postgresMicros: number
  /** Milliseconds of each mint at the server's side. */
  readonly tookMs: readonly number[]
  /** Mints whose entries were proven to be in the ledger. */
  readonly proven: number
}

export interface Bench {
  readonly world: BenchWorld
  readonly load: Load
  readonly postgres: PostgresMeter
}

/**
 * Begins when nothing runs out before its end: what others minted before would be put on record at the
 * cost of those who mint now.
 *
 * @throws Error, and the run is void, unless each mint left exactly two leaves, and those looked for are there;
 *   and where what ran out was not put on record in time
 */
export async function takeTurn(
  { world, load, postgres }: Bench,
  contender: Contender,
  shape: Shape,
): Promise<Turn> {
  const { name, workers, side, server } = contender
  const runs = await contender.runs()
  await withClient(world.product.databaseUrl, (client) => untilNothingIsDue(client, shape.seconds))
  const mark = await markOf(side)
  const before = { ...(await server.read()), postgres: postgres.cpuMicros() }
  const journal = journalOf(world, contender)
  const { issuer } = server
  const driven = await load.drive({ ...shape, issuer, runs }, (minted) => journal?.note(minted))
  const after = { ...(await server.read()), postgres: postgres.cpuMicros() }
  const proven = (await journal?.settled()) ?? 0
  const written = await writtenSince(side, mark)
  const mints = driven.mints + driven.extra
  if (written.leaves !== 2 * mints) {
    const found = `${String(written.leaves)} leaves for ${String(mints)} mints`
    throw new Error(`the run is void: ${name} left ${found}`)
  }
  return {
    ...{ ...driven, ...written, server: name, workers, shape, proven },
    cpuMicros: after.cpuMicros - before.cpuMicros,
    rssBytes: after.rssBytes,
    postgresMicros: after.postgres - before.postgres,
    tookMs: after.tookMs,
  }
}

/** And has the tables analyzed, as the server does by itself within a minute: plans are made anew then. */
export async function warmUp(
  its: Bench,
  contender: Contender,
  seconds = WARM_UP_SECONDS,
): Promise<void> {
  const { databaseUrl } = contender.side
  const shape = { kind: 'closed', callers: MOST_CALLERS, seconds } as const
  await takeTurn(its, contender, shape)
  await withClient(databaseUrl, (client) => client.query('analyze'))
  await takeTurn(its, contender, shape)
}

async function untilNothingIsDue(client: Client, forSeconds: number): Promise<void> {
  const isDue = `select exists (select from procura.lease where tenant = 'main' and target = 'payments'
    and due_at <= now() + make_interval(secs => $1)) as due`
  const began = performance.now()
  let toldAt = began
  while (performance.now() < began + DUE_MS) {
    const { rows } = await client.query<{ due: boolean }>(isDue, [forSeconds + AROUND_SECONDS])
    if (rows[0]?.due === false) return
    if (performance.now() > toldAt + TELL_MS) {
      process.stderr.write('waiting for what was minted before to run out\n')
      toldAt = Infinity
    }
    await pause(100)
  }
  throw new Error('the run is void: what had run out was not put on record in time')
}

/** The ideal has nothing that could be asked. */
function journalOf({ people }: BenchWorld, { name, server: { issuer } }: Contender) {
  if (name.startsWith('ideal')) return null
  return createJournal(createCaller(issuer, () => people.token('cleo', issuer)))
}
