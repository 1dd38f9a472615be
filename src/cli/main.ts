#!/usr/bin/env node
/** procura: where the command line begins. */
import { cannotRun } from '../node-version.ts'

const tooOld = cannotRun(process.versions.node)
if (tooOld === null) {
  // What comes now may need a newer Node to be read at all.
  const { run } = await import('./program.ts')
  await run(process.argv)
} else {
  process.stderr.write(`${tooOld}\n`)
  process.exitCode = 2
}
