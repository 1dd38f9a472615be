/** Turns of one server, put together and printed. */
import type { Written } from './count.ts'
import type { Driven } from './load.ts'

export interface Turn extends Driven, Written {
  readonly server: string
  readonly callers: number
  readonly cpuMicros: number
}

/** CPU of the server a mint, in microseconds: the smallest of the rounds, which a busy machine moves least. */
export function cpuOf(turns: readonly Turn[]): number {
  return Math.min(...turns.map(({ cpuMicros, mints }) => cpuMicros / mints))
}

const HEADINGS = [
  ...['server', 'callers', 'mints', 'requests/s', 'p50 ms', 'p99 ms'],
  ...['CPU µs a mint', 'leaves a commit'],
]

/** A table in Markdown, one line for each server and number of callers. */
export function tableOf(groups: readonly (readonly Turn[])[]): string {
  const lines = [HEADINGS, HEADINGS.map((_, at) => (at === 0 ? '---' : '---:'))]
  return [...lines, ...groups.map(cellsOf)].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function cellsOf(turns: readonly Turn[]): string[] {
  const sum = (of: (turn: Turn) => number) => turns.reduce((total, turn) => total + of(turn), 0)
  const sorted = turns.flatMap(({ latencies }) => latencies).sort((one, other) => one - other)
  const mints = sum((turn) => turn.mints)
  return [
    turns[0]?.server ?? '',
    String(turns[0]?.callers ?? 0),
    String(mints),
    (mints / sum(({ seconds }) => seconds)).toFixed(0),
    quantile(sorted, 0.5).toFixed(1),
    quantile(sorted, 0.99).toFixed(1),
    cpuOf(turns).toFixed(0),
    (sum(({ leaves }) => leaves) / sum(({ commits }) => commits)).toFixed(1),
  ]
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
