/** What became of it, faults × connectors, for those who read what a run prints. */
import { whyNoCephRgw } from '../parts/ceph-rgw.ts'

export interface Matrix {
  /** The rows stand in the order in which they were told of. */
  readonly tell: (row: string, connector: string, what: readonly string[]) => void
  readonly print: () => void
}

/** @param head of the first column */
export function aMatrix(head: string, connectors: readonly string[]): Matrix {
  const rows = new Map<string, Map<string, string>>()
  return {
    tell(row, connector, what) {
      const cells = rows.get(row) ?? new Map<string, string>()
      rows.set(row, cells.set(connector, [...new Set(what)].join(', ')))
    },
    print() {
      const lines = [...rows].map(([row, cells]) => [
        row,
        ...connectors.map((connector) => cells.get(connector) ?? '–'),
      ])
      const text = [[head, ...connectors], ...lines].map((line) => `| ${line.join(' | ')} |`)
      const why = whyNoCephRgw === null ? [] : [`not run: aws-sts: ${whyNoCephRgw}`]
      process.stdout.write(`\n${[...text, ...why].join('\n')}\n`)
    },
  }
}
