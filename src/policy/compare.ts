/** Has a set compiled and held against Cedar, beside what decides, before it may decide. */
import type { Compiled } from './cedar.ts'
import type { Comparison } from './compile-trial.ts'
import { inWorker } from './worker.ts'

const REQUESTS = 2000
const LIMIT_MS = 30_000

/** Over some thousand requests made up for this very set. Never rejects. */
export function compareWithCedar(compiled: Compiled, signal: AbortSignal): Promise<Comparison> {
  const given = { compiled, requests: REQUESTS, limitMs: LIMIT_MS }
  const lost = (what: string): Comparison => ({ why: `comparing ${what}`, compared: 0, left: 0 })
  const errand = { worker: WORKER, given, limitMs: 2 * LIMIT_MS, signal, isAwaited: false, lost }
  return inWorker(errand)
}

/** Beside this file, and like it: compiled or not. */
const WORKER = new URL(import.meta.url.replace(/compare(?=\.[jt]s)/, 'compare-worker'))
