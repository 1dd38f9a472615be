/** A thread of its own that holds a set, compiled, against Cedar. What decides is not kept waiting. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Compiled, createEngine } from './cedar.ts'
import { comparison } from './compile-trial.ts'

const given = workerData as { compiled: Compiled; requests: number; limitMs: number }
// What one of them is shown the other is.
const { cedar } = createEngine().use({ ...given.compiled, looksAtSponsor: true })
const elapsedMs = () => performance.now()
const { sources } = given.compiled
parentPort?.postMessage(
  sources
    ? comparison({ ...given, sources, cedar, elapsedMs })
    : { why: 'there is nothing to compile', compared: 0, left: 0 },
)
