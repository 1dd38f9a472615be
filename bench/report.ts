/** Turns of one server, put together and printed. */
import type { Turn } from './turn.ts'

/** CPU of the server a mint, in microseconds: the smallest of the rounds, which a busy machine moves least. */
export const cpuOf = (turns: readonly Turn[]): number => smallest(turns, (turn) => turn.cpuMicros)

/** Mints a second: the most of the rounds. */
export const rateOf = (turns: readonly Turn[]): number =>
  Math.max(...turns.map(({ mints, seconds }) => mints / seconds))

export const postgresOf = (turns: readonly Turn[]): number =>
  smallest(turns, (turn) => turn.postgresMicros)

/** Milliseconds at the server's side, of all rounds. */
export const insideOf = (turns: readonly Turn[], share: number): number =>
  quantile(
    turns.flatMap(({ tookMs }) => tookMs).sort((one, other) => one - other),
    share,
  )

const HEADINGS = [
  ...['server', 'workers', 'load', 'requests/s', 'p50 ms', 'p99 ms', 'inside: p50', 'p99'],
  ...['CPU µs a mint', 'PostgreSQL µs', 'load µs', 'leaves a commit', 'commits a mint', 'RSS MB'],
]

/** A table in Markdown, one line for each group of turns that differ in nothing but when they were. */
export function tableOf(groups: readonly (readonly Turn[])[]): string {
  const lines = [HEADINGS, HEADINGS.map((_, at) => (at === 0 ? '---' : '---:'))]
  return [...lines, ...groups.map(cellsOf)].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function cellsOf(turns: readonly Turn[]): string[] {
  const sum = (of: (turn: Turn) => number) => turns.reduce((total, turn) => total + of(turn), 0)
  const all = (of: (turn: Turn) => readonly number[]) => turns.flatMap(of).sort((a, b) => a - b)
  const [asked, inside] = [all((turn) => turn.latencies), all((turn) => turn.tookMs)]
  const [first] = turns
  return [
    first?.server ?? '',
    String(first?.workers ?? 0),
    first === undefined ? '' : shapeOf(first),
    (sum((turn) => turn.mints) / sum(({ seconds }) => seconds)).toFixed(0),
    ...[asked, inside].flatMap((sorted) => [
      quantile(sorted, 0.5).toFixed(1),
      quantile(sorted, 0.99).toFixed(1),
    ]),
    cpuOf(turns).toFixed(0),
    told(
      smallest(turns, (turn) => turn.postgresMicros),
      0,
    ),
    smallest(turns, (turn) => turn.loadMicros).toFixed(0),
    (sum(({ leaves }) => leaves) / sum(({ leafCommits }) => leafCommits)).toFixed(1),
    told(sum(({ commits }) => commits) / sum(mintsOf), 2),
    (Math.max(...turns.map(({ rssBytes }) => rssBytes)) / 1e6).toFixed(0),
  ]
}

/** How many were looked for, and found. */
export function tellProven(groups: readonly (readonly Turn[])[]): void {
  const proven = groups.flat().reduce((sum, turn) => sum + turn.proven, 0)
  process.stdout.write(`${String(proven)} mints were proven to be in the ledger as it grew\n`)
}

export function shapeOf({ shape }: Turn): string {
  if (shape.kind === 'open') return `${shape.rate.toFixed(0)}/s`
  return shape.callers === 1 ? '1 caller' : `${String(shape.callers)} callers`
}

const mintsOf = ({ mints, extra }: Turn) => mints + extra
const smallest = (turns: readonly Turn[], of: (turn: Turn) => number) =>
  Math.min(...turns.map((turn) => of(turn) / mintsOf(turn)))
const told = (value: number, digits: number) => (Number.isNaN(value) ? '–' : value.toFixed(digits))

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}

/** A table in Markdown that is printed as it grows: what it returns adds a line. */
export function tableTo(out: NodeJS.WriteStream, headings: readonly string[]) {
  const line = (cells: readonly string[]) => out.write(`| ${cells.join(' | ')} |\n`)
  line(headings)
  line(headings.map((_, at) => (at === 0 ? '---' : '---:')))
  return line
}
