/**
 * `npm run fuzz -- 1000000 [seed]`: the properties of reading, as often as one likes.
 * `npm run fuzz -- chain --runs 2000000 [--seed N]`: the chain verifier against its oracle.
 */
import fc from 'fast-check'
import { PROPERTIES } from '../lines/arg-properties.ts'
import { fuzzChains } from './fuzz-chain.ts'

const [what = '1000000', ...rest] = process.argv.slice(2)
if (what === 'chain') process.exitCode = fuzzChains(rest) ? 0 : 1
else fuzzReading(Number(what), rest[0])

function fuzzReading(runs: number, given: string | undefined): void {
  const seed = Number(given ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`seed ${String(seed)}\n`)
  for (const [title, property] of PROPERTIES) {
    const start = performance.now()
    fc.assert(property, { numRuns: runs, seed })
    const seconds = ((performance.now() - start) / 1000).toFixed(0)
    process.stdout.write(`ok  ${title}: ${String(runs)} cases in ${seconds} s\n`)
  }
}
