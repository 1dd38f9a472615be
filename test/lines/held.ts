/** For how long one turn may keep a broker's event loop from everybody else, and what is done where it did. */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'

export const HELD_MS_MAX = 200
const LOOKS_MAX = 3

/** A turn was longer than that. */
export class Held extends Error {
  override readonly name = 'Held'
}

/** @throws Held */
export function checkHeld(ms: number): void {
  if (ms >= HELD_MS_MAX) throw new Held(`[G4] the loop was held for ${String(ms)} ms`)
}

/** What the brokers run on. */
export interface Machine {
  /** What is returned tells whether others had its processors since. */
  readonly watch: () => () => boolean
  /** Resolves when all have been ours for a while, or were not for long. */
  readonly steadiness: () => Promise<void>
  /** Says it to whoever reads what the tests print. */
  readonly tell: (text: string) => void
}

/**
 * Does a case again where the loop was held while others had the machine's processors: part of that
 * time is counted as used by whoever had them before. Three times in all; every other failure is one at
 * once, and so is a loop that was held while nobody else had them.
 *
 * @param limitMs of each time
 */
export async function repeatedWhereHeld(
  work: () => Promise<void>,
  limitMs: number,
  machine: Machine = SHARED,
): Promise<void> {
  for (let looks = 1; ; looks += 1) {
    const watching = machine.watch()
    const failed = await within(limitMs, work()).then(() => null, inBox)
    const wasTaken = watching()
    if (failed === null) return
    const { error } = failed
    if (!(error instanceof Held) || !wasTaken || looks === LOOKS_MAX) throw error
    machine.tell(`  ${error.message}: it is looked at again\n`)
    await machine.steadiness()
  }
}

const inBox = (error: unknown) => ({ error })

/** What all of it may take. */
export const timeOfLooks = (limitMs: number) =>
  LOOKS_MAX * limitMs + (LOOKS_MAX - 1) * STEADY_MS_MAX

async function within(limitMs: number, work: Promise<void>): Promise<void> {
  const end = new AbortController()
  const late = pause(limitMs, undefined, { signal: end.signal }).then(() => {
    throw new Error(`it came to no end in ${String(limitMs)} ms`)
  })
  try {
    await Promise.race([work, late])
  } finally {
    end.abort()
    await late.catch(() => undefined)
  }
}

const [TICK_MS, LATE_MS_MAX, TAKEN_MS_MIN] = [20, 30, 100]
const [STEADY_TICKS, STEADY_MS_MAX] = [50, 30_000]

const SHARED: Machine = {
  tell(text) {
    process.stdout.write(text)
  },
  watch() {
    const before = stolenMs()
    let latest = 0
    let due = performance.now() + TICK_MS
    const timer = setInterval(() => {
      latest = Math.max(latest, performance.now() - due)
      due = performance.now() + TICK_MS
    }, TICK_MS)
    return () => {
      clearInterval(timer)
      return Math.max(latest, stolenMs() - before) >= TAKEN_MS_MIN
    }
  },
  async steadiness() {
    const deadline = performance.now() + STEADY_MS_MAX
    for (let inTime = 0; inTime < STEADY_TICKS && performance.now() < deadline;) {
      const before = performance.now()
      await pause(TICK_MS)
      inTime = performance.now() - before < TICK_MS + LATE_MS_MAX ? inTime + 1 : 0
    }
  },
}

/** What the host says it gave to others, of all processors, since it runs; proc(5) counts hundredths. */
function stolenMs(): number {
  try {
    const [, ...ticks] = (/^cpu .*$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[0] ?? '').split(
      / +/,
    )
    return Number(ticks[7] ?? 0) * 10
  } catch {
    return 0 // Only Linux tells.
  }
}
