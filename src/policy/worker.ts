/** A thread made for one piece of work and thrown away: what goes wrong in it ends with it. */
import { Worker } from 'node:worker_threads'

const HEAP_MB = 512

export interface Errand<Result> {
  /** Posts one message: the result. */
  readonly worker: URL
  readonly given: unknown
  readonly limitMs: number
  /** Nobody needs the result any more. */
  readonly signal?: AbortSignal
  /** Whether the program goes on for its sake. */
  readonly isAwaited: boolean
  /** What it comes to when there is no result, and why there is none. */
  readonly lost: (what: 'late' | 'failed' | 'ended') => Result
}

/** Never rejects. */
export function inWorker<Result>(errand: Errand<Result>): Promise<Result> {
  const { worker, given, limitMs, signal, isAwaited, lost } = errand
  return new Promise((resolve) => {
    const thread = new Worker(worker, {
      workerData: given,
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    // The first answer counts; `resolve` ignores those after it, such as the end of the thread.
    const end = (result: Result) => {
      clearTimeout(limit)
      signal?.removeEventListener('abort', ended)
      resolve(result)
      thread.terminate().catch(() => undefined)
    }
    const ended = () => {
      end(lost('ended'))
    }
    const limit = setTimeout(() => {
      end(lost('late'))
    }, limitMs).unref()
    thread.once('message', end)
    thread.once('error', () => {
      end(lost('failed'))
    })
    thread.once('exit', ended)
    signal?.addEventListener('abort', ended)
    if (!isAwaited) thread.unref()
  })
}
