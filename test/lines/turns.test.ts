import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HELD_MS_MAX } from './held.ts'
import { ranIn, usedIn } from './turns.ts'

const WHOLE = { from: 0, to: 300_000, cpu: 300_000 }

/** Seen every 5 ms of 300 ms that were used as a whole, but not between these two. */
function ranWhereUnseen(fromMs: number, toMs: number): number {
  const seen = Array.from({ length: 61 }, (_, n) => n * 5).filter(
    (at) => at <= fromMs || at >= toMs,
  )
  const micros = seen.map((at) => at * 1000)
  return ranIn(WHOLE, micros) / 1000
}

describe('how long a turn held the loop', () => {
  it('is what was used, where the thread was seen all along', () => {
    expect(ranWhereUnseen(0, 0)).toBe(300)
  })

  it('is what was used, where nobody looked', () => {
    expect(ranIn({ ...WHOLE, cpu: 120_000 }, [])).toBe(120_000)
  })

  it.each([
    [100, 225, 175],
    [100, 150, 250],
    [0, 60, 240],
    [240, 300, 240],
  ])('is less by what nobody saw it run in (%d to %d)', (from, to, ran) => {
    expect(ranWhereUnseen(from, to)).toBe(ran)
  })

  it('is no less where who looks came a little late', () => {
    expect(ranWhereUnseen(100, 145)).toBe(300)
  })

  const times = fc
    .uniqueArray(fc.integer({ min: 0, max: 400_000 }), { minLength: 1, maxLength: 80 })
    .map((all) => all.toSorted((a, b) => a - b))
  const turns = fc
    .tuple(fc.nat(100_000), fc.nat(300_000), fc.nat(400_000))
    .map(([from, length, cpu]) => ({ from, to: from + length, cpu }))

  it('is never more than was used, and never more by being seen less', () => {
    fc.assert(
      fc.property(times, turns, fc.nat(), (seen, turn, drop) => {
        const ran = ranIn(turn, seen)
        expect(ran).toBeGreaterThanOrEqual(0)
        expect(ran).toBeLessThanOrEqual(usedIn(turn))
        const fewer = seen.filter((_, at) => at !== drop % seen.length)
        if (fewer.length > 0) expect(ranIn(turn, fewer)).toBeLessThanOrEqual(ran)
      }),
    )
  })

  it('is all that was used where the thread was seen every 49 ms at least', () => {
    fc.assert(
      fc.property(
        turns,
        fc.array(fc.integer({ min: 1, max: 49_000 }), { minLength: 1 }),
        (turn, gaps) => {
          let at = turn.from
          const seen = gaps.map((gap) => (at += gap))
          while (at < turn.to) seen.push((at += 49_000))
          expect(ranIn(turn, seen)).toBe(usedIn(turn))
        },
      ),
    )
  })
})

/** Asks, holds the loop for so many µs of CPU, in code of its own or in what Node brings, and asks again. */
const HOLDING = `
import { pbkdf2Sync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
const [how, micros] = process.argv.slice(1)
function asked() {
  try {
    return JSON.parse(readFileSync(process.env.LINES_METER, 'utf8')).asked
  } catch {
    return 0
  }
}
async function ask() {
  const before = asked()
  process.kill(process.pid, 'SIGUSR2')
  while (asked() === before) await pause(5)
}
await ask()
const used = process.threadCpuUsage()
while (process.threadCpuUsage(used).user < Number(micros)) {
  if (how === 'native') pbkdf2Sync('', '', 50000, 32, 'sha256')
}
await ask()
`

async function heldMsOf(how: string, ms: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'meter-'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true })
  })
  const file = join(folder, 'meter.json')
  const meter = join(import.meta.dirname, 'meter.ts')
  const holding = ['--input-type=module', '--eval', HOLDING, how, String(ms * 1000)]
  await promisify(execFile)(process.execPath, ['--import', meter, ...holding], {
    env: { ...process.env, LINES_METER: file },
  })
  return (JSON.parse(readFileSync(file, 'utf8')) as { heldMs: number }).heldMs
}

describe('the meter', () => {
  it.each(['spinning', 'native'])('tells of a turn that holds the loop (%s)', async (how) => {
    // Of what the host takes meanwhile nothing is told.
    await expect.poll(() => heldMsOf(how, 300)).toBeGreaterThanOrEqual(250)
  })

  it('tells of none where none does', async () => {
    expect(await heldMsOf('spinning', 0)).toBeLessThan(HELD_MS_MAX)
  })
})
