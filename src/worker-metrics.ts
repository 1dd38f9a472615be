/** /metrics of all workers, whichever of them is asked: each series says which worker counted it. */
import type { Worker } from 'node:cluster'

/** Who has not answered by then is left out, and so is seen to be missing. */
const ANSWER_MS = 1000
/** Anybody may ask, as often as they like: one gathering serves all who ask until so long after it. */
const FRESH_MS = 1000

export type FromWorker =
  | { readonly procura: 'ready' }
  | { readonly procura: 'metrics wanted'; readonly id: number }
  | { readonly procura: 'metrics'; readonly id: number; readonly text: string }

export type ToWorker =
  | { readonly procura: 'metrics wanted'; readonly id: number }
  | { readonly procura: 'metrics'; readonly id: number; readonly text: string }

/** Messages between processes of ours; what else comes over the channel is somebody else's. */
export function isFromWorker(message: unknown): message is FromWorker {
  return typeof message === 'object' && message !== null && 'procura' in message
}

type Asked = Pick<Worker, 'isConnected' | 'send'>

export interface Gathering {
  /** What every worker has counted. */
  text(): Promise<string>
  /** What one of them answered. */
  take(worker: Asked, answer: { readonly id: number; readonly text: string }): void
}

/** @param elapsed a monotonic clock, in milliseconds */
export function createGathering(
  crew: ReadonlyMap<number, Asked>,
  elapsed: () => number = () => performance.now(),
): Gathering {
  const waiting = new Map<Asked, (text: string) => void>()
  let asked = 0
  let until = -Infinity
  let gathered = Promise.resolve('')

  function textOf(worker: Asked): Promise<string> {
    if (!worker.isConnected()) return Promise.resolve('')
    return new Promise((resolve) => {
      const answer = (text: string) => {
        clearTimeout(late)
        waiting.delete(worker)
        resolve(text)
      }
      const late = setTimeout(answer, ANSWER_MS, '')
      waiting.set(worker, answer)
      worker.send({ procura: 'metrics wanted', id: asked } satisfies ToWorker)
    })
  }

  async function gather(): Promise<string> {
    asked += 1
    try {
      const texts = await Promise.all(
        [...crew].map(async ([slot, worker]) => ({ slot, text: await textOf(worker) })),
      )
      return merged(texts)
    } finally {
      until = elapsed() + FRESH_MS
    }
  }

  return {
    text() {
      if (elapsed() >= until) {
        until = Infinity
        gathered = gather()
      }
      return gathered
    },
    take(worker, { id, text }) {
      if (id === asked) waiting.get(worker)?.(text)
    },
  }
}

interface Exposed {
  readonly slot: number
  readonly text: string
}

/** Text exposition format 0.0.4, in which all series of one name stand together. */
export function merged(texts: readonly Exposed[]): string {
  const families = new Map<string, { head: Set<string>; series: string[] }>()
  for (const { slot, text } of texts) {
    let family = { head: new Set<string>(), series: [] as string[] }
    for (const line of text.split('\n')) {
      const [, name] = /^# (?:HELP|TYPE) (\S+)/.exec(line) ?? []
      if (name !== undefined) {
        family = families.get(name) ?? { head: new Set(), series: [] }
        families.set(name, family)
        family.head.add(line)
      } else if (line !== '') family.series.push(labelled(line, slot))
    }
  }
  const lines = [...families.values()].flatMap(({ head, series }) => [...head, ...series])
  return [...lines, ''].join('\n')
}

/** `name 1` and `name{a="b"} 1`; a value of a label may hold any brace. */
function labelled(line: string, slot: number): string {
  const worker = `worker="${String(slot)}"`
  const [name = ''] = /^[^{ ]+/.exec(line) ?? []
  const rest = line.slice(name.length)
  return rest.startsWith('{') ? `${name}{${worker},${rest.slice(1)}` : `${name}{${worker}}${rest}`
}
