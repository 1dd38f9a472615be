/** A worker's side of its primary: it says when it is ready, drains when told, and asks for all metrics. */
import cluster from 'node:cluster'
import type { FromWorker, ToWorker } from './worker-metrics.ts'

const ANSWER_MS = 3000

export interface Membership {
  /** All is up: the primary may say so. */
  ready(): void
  /**
   * Resolves when it is to drain. Told twice is told once: a terminal and a supervisor signal the
   * whole group, and the primary does too.
   */
  readonly told: Promise<void>
  /** @param own what this worker has counted; what all of them have, or its own if nobody answers */
  metrics(own: () => string): () => Promise<string>
  /** Lets go of the primary, without which the process would never end. */
  leave(): void
}

export function joinCrew(): Membership {
  let own: () => string = () => ''
  const waiting = new Map<number, (text: string) => void>()
  let asked = 0
  process.on('message', (message: Partial<ToWorker> | null) => {
    if (message?.procura === 'metrics wanted') {
      tell({ procura: 'metrics', id: message.id ?? 0, text: own() })
    } else if (message?.procura === 'metrics') {
      waiting.get(message.id ?? 0)?.(message.text ?? '')
    }
  })
  const wanted = (id: number) =>
    new Promise<string>((resolve) => {
      const answer = (text: string) => {
        clearTimeout(late)
        waiting.delete(id)
        resolve(text)
      }
      const late = setTimeout(() => {
        answer(own())
      }, ANSWER_MS)
      waiting.set(id, answer)
      tell({ procura: 'metrics wanted', id })
    })

  return {
    ready() {
      tell({ procura: 'ready' })
    },
    told: new Promise((resolve) => {
      for (const signal of ['SIGTERM', 'SIGINT']) {
        process.on(signal, () => {
          resolve()
        })
      }
    }),
    metrics(counted) {
      own = counted
      // One question serves all who ask while it is under way.
      let underWay: Promise<string> | null = null
      return () => (underWay ??= wanted((asked += 1)).finally(() => (underWay = null)))
    },
    leave() {
      cluster.worker?.disconnect()
    },
  }
}

function tell(message: FromWorker): void {
  if (process.connected) process.send?.(message)
}
