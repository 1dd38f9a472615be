/** Loaded into a broker before its own code: on SIGUSR2 it tells how long the loop was held, and its memory. */
import { writeFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector'
import { isMainThread } from 'node:worker_threads'
import { ranIn, type Turn, usedIn } from './turns.ts'

const TICK_US = 20_000
const SEEN_EACH_US = 5_000
/** Shorter turns trouble nobody, and are not kept. */
const LONG_US = 100_000

/** The clock by which V8 tells, too, when the thread was seen (on Linux). */
const nowUs = () => Number(process.hrtime.bigint() / 1000n)

/** Looks where this thread is, two hundred times a second; returns what tells when it was seen. */
function watch(): () => readonly number[] {
  const session = new Session()
  session.connect()
  const start = () => {
    answered((done) => {
      session.post('Profiler.start', done)
    })
  }
  answered((done) => {
    session.post('Profiler.enable', done)
  })
  answered((done) => {
    session.post('Profiler.setSamplingInterval', { interval: SEEN_EACH_US }, done)
  })
  start()
  return () => {
    const told = answered<Profiler.StopReturnType>((done) => {
      session.post('Profiler.stop', done)
    })
    start()
    return told === undefined ? [] : timesIn(told.profile)
  }
}

/** An answer comes at once. What is thrown at it goes no further than a warning, and so it is kept. */
function answered<T = object>(ask: (done: (error: Error | null, told?: T) => void) => void) {
  const kept: { error?: Error | null; told?: T | undefined } = {}
  ask((error, told) => Object.assign(kept, { error, told }))
  if (kept.error !== null) throw new Error('nobody looks at this thread', { cause: kept.error })
  return kept.told
}

function timesIn({ startTime, timeDeltas = [] }: Profiler.Profile): readonly number[] {
  let at = startTime
  return timeDeltas.map((delta) => (at += delta)).sort((a, b) => a - b)
}

function meter(file: string): void {
  const seenSince = watch()
  let turns: Turn[] = []
  let [from, used] = [nowUs(), process.threadCpuUsage()]
  const next = () => {
    ;[from, used] = [nowUs(), process.threadCpuUsage()]
  }
  const tick = () => {
    const { user, system } = process.threadCpuUsage(used)
    const turn = { from: from + TICK_US, to: nowUs(), cpu: user + system }
    if (usedIn(turn) >= LONG_US) turns.push(turn)
    next()
  }
  setInterval(tick, TICK_US / 1000).unref()

  const longest = (us: (turn: Turn) => number) => Math.round(Math.max(0, ...turns.map(us)) / 1000)
  let asked = 0
  process.on('SIGUSR2', () => {
    tick()
    asked += 1
    const { rss } = process.memoryUsage()
    // To be told takes a tenth of a second.
    const seen = turns.length === 0 ? [] : seenSince()
    const usedMs = longest(usedIn)
    const heldMs = longest((turn) => ranIn(turn, seen))
    writeFileSync(file, JSON.stringify({ asked, pid: process.pid, usedMs, heldMs, rss }))
    turns = []
    next()
  })
}

if (isMainThread) meter(process.env['LINES_METER'] ?? '')
