/** What a part asks of the database, and how the server goes about it. */
import type { ClientBase, Pool, QueryConfig } from 'pg'
import type { Rowwise, Tx } from '../../src/domain/tx.ts'

/** The statement that is sent; nobody answers. */
export function sentBy(ask: (tx: Tx, pool: Pool) => unknown): Promise<QueryConfig> {
  return new Promise((resolve, reject) => {
    const take = (query: QueryConfig) => {
      resolve(query)
      return Promise.reject(new Error('nobody answers'))
    }
    const each = ({ text, values }: Rowwise, row: object) =>
      take({ text, values: [JSON.stringify([{ n: 0, ...row }]), ...values] })
    const parts = { query: take, each, begun: Promise.resolve() }
    Promise.resolve(ask(parts as unknown as Tx, parts as unknown as Pool)).then(reject, () => null)
  })
}

export interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Index Cond'?: string
  readonly Plans?: readonly Node[]
}
/** With what it came to as it was carried out. */
export interface Done extends Node {
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
}

/** Every step of the plan under which this was prepared. */
export const stepsPlanned = async (client: ClientBase, name: string, query: QueryConfig) =>
  await steps<Node>(client, 'explain (format json)', { name, query })

/** The same, and it is carried out. */
export const stepsDone = async (client: ClientBase, name: string, query: QueryConfig) =>
  await steps<Done>(client, 'explain (analyze, format json)', { name, query })

async function steps<Step extends Node>(
  client: ClientBase,
  explain: string,
  { name, query: { values = [] } }: { readonly name: string; readonly query: QueryConfig },
): Promise<Step[]> {
  const given = (values as (string | number | readonly string[] | null)[]).map((value) => {
    if (value === null) return 'null'
    const isList = typeof value === 'object'
    return client.escapeLiteral(isList ? `{${value.join(',')}}` : String(value))
  })
  const { rows } = await client.query<{ 'QUERY PLAN': readonly [{ Plan: Step }] }>(
    `${explain} execute "${name}" (${given.join(', ')})`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('the server did not tell')
  return within(row['QUERY PLAN'][0].Plan)
}

const within = <Step extends Node>(step: Step): Step[] => [
  step,
  ...((step.Plans ?? []) as Step[]).flatMap(within),
]
