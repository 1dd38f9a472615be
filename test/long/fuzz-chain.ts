/** `npm run fuzz -- chain --runs 2000000 [--seed N [--from M]]`: the chain verifier against its oracle. */
import { parseArgs } from 'node:util'
import { compare } from '../chain/differential.ts'

const STEP = 10_000

export function fuzzChains(args: readonly string[]): boolean {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: 'string', default: '2000000' },
      seed: { type: 'string' },
      from: { type: 'string', default: '0' },
    },
  })
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  const [runs, first] = [Number(values.runs), Number(values.from)]
  process.stdout.write(`seed ${String(seed)}\n`)
  const outcomes = new Map<string, number>()
  const start = performance.now()
  for (let from = first; from < runs; from += STEP) {
    const to = Math.min(from + STEP, runs)
    const found = compare(seed, from, to)
    for (const [name, count] of found.outcomes) {
      outcomes.set(name, (outcomes.get(name) ?? 0) + count)
    }
    if (found.disagreement) {
      process.stdout.write(`${JSON.stringify(found.disagreement, null, 1)}\n`)
      return false
    }
    const seconds = (performance.now() - start) / 1000
    const rate = ((to - first) / seconds).toFixed(0)
    process.stdout.write(`${String(to)} chains, ${seconds.toFixed(0)} s, ${rate} a second\n`)
  }
  for (const [name, count] of [...outcomes].sort(([, one], [, other]) => other - one)) {
    process.stdout.write(`${String(count).padStart(9)} ${name}\n`)
  }
  process.stdout.write('ok  no disagreement\n')
  return true
}
