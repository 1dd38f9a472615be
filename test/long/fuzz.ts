/** `npm run fuzz -- 1000000 [seed]`: the properties of reading, as often as one likes. */
import fc from 'fast-check'
import { PROPERTIES } from '../lines/arg-properties.ts'

const [runs = '1000000', given] = process.argv.slice(2)
const seed = Number(given ?? Math.floor(Math.random() * 2 ** 31))
process.stdout.write(`seed ${String(seed)}\n`)
for (const [title, property] of PROPERTIES) {
  const start = performance.now()
  fc.assert(property, { numRuns: Number(runs), seed })
  const seconds = ((performance.now() - start) / 1000).toFixed(0)
  process.stdout.write(`ok  ${title}: ${runs} cases in ${seconds} s\n`)
}
