/** The matrix: each point, each seed, over one process and two. What happens in a cell follows from its names. */
import { createHash } from 'node:crypto'
import { type Kind, KINDS } from './fault.ts'
import { OVER_HTTP, PLACES } from './places.ts'
import { type Random, randomOf } from './random.ts'

export interface Cell {
  readonly point: string
  readonly seed: number
  readonly processes: number
  readonly kind: Kind
  readonly passage: number
  readonly ms: number
  /** The replica that it happens to. */
  readonly replica: number
  /** Of the load. */
  readonly random: Random
}

/** Of twenty, by kind: a kill is what the points are for; what hangs takes its time. */
const SHARES: readonly Kind[] = [
  ...Array.from({ length: 12 }, (): Kind => 'kill'),
  ...(['throw', 'throw', 'throw', 'throw', 'delay', 'delay', 'hang', 'stop'] as const),
]
const DELAYS_MS = [50, 300, 1200] as const
/** Passed seldom: the first passage is waited for. */
const SELDOM = new Set(['FP11', 'FP12', 'FP13', 'FP14', 'FP15'])

/** What is armed. */
export type Planned = Pick<Cell, 'point' | 'kind' | 'ms' | 'passage'>

export interface Named {
  readonly point: string
  readonly seed: number
  readonly processes: number
  readonly kind?: Kind | undefined
}

export function cellOf({ point, seed, processes, kind }: Named): Cell {
  const name = `${point} ${String(seed)} ${String(processes)}`
  const random = randomOf(createHash('sha256').update(name).digest().readUInt32BE())
  const drawn = SHARES[(seed + random.below(3)) % SHARES.length] ?? 'kill'
  const fit = kindsOf(point)
  return {
    ...{ point, seed, processes },
    kind: kind ?? (fit.includes(drawn) ? drawn : 'kill'),
    passage: SELDOM.has(point) ? 1 : 1 + random.below(4),
    ms: random.pick(DELAYS_MS),
    replica: random.below(processes),
    random,
  }
}

export const faultOf = ({ point, kind, ms, passage }: Planned) =>
  `${point}:${kind}${kind === 'delay' ? `=${String(ms)}` : ''}:${String(passage)}`

export const nameOf = (cell: Cell) =>
  `${faultOf(cell)} seed ${String(cell.seed)} processes ${String(cell.processes)}`

/** An answer that is out cannot be held back any more, and a sync has nobody who waits for it. */
export function kindsOf(point: string): readonly Kind[] {
  if (point === 'FP10') return ['kill', 'stop', 'throw']
  if (point === 'FP15' || point === 'FP11') return ['kill', 'stop', 'throw']
  return point in PLACES || (OVER_HTTP as readonly string[]).includes(point) ? KINDS : []
}
