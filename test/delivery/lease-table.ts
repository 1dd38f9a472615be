/** The table of leases in memory: what its statements promise, and no more. A ledger beside it. */
import type { Pool, QueryConfig } from 'pg'
import type { Spent } from '../../src/domain/decision.ts'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import type { Ledger } from '../../src/domain/ports.ts'
import { Recorded } from '../../src/domain/recorded.ts'
import type { Rowwise, Tx } from '../../src/domain/tx.ts'
import { IDS, NOW } from '../fakes/settled.ts'

export interface Row {
  state: string
  end_reason: string | null
  claim: string | null
  attempts: number
  delay: number | null
}
export const SPENT = { account: IDS.consent, key: 'calls', type: 'max_subtree', amount: 1 } as const

/** What the statement that opens a lease is to find. */
export interface Finding {
  policy_epoch: number | null
  stopped: string | null
  opened: boolean
  now: Date
}

export function aLeaseTable() {
  const rows = new Map<string, Row>()
  const entries: LedgerEntry[] = []
  const asked: Record<string, unknown>[] = []
  const finding: Finding = { policy_epoch: 1, stopped: null, opened: true, now: NOW }
  const broken = { ledger: 0, refunds: 0 }

  const statements: Record<string, (values: readonly unknown[]) => unknown[]> = {
    lease_finish: ([, id, state, reason, , from, claim]) => {
      const row = rows.get(id as string)
      if (!row || !isFrom(row, from, claim)) return []
      const begun_by = row.claim
      Object.assign(row, { state, end_reason: reason, claim: null })
      return [{ begun_by }]
    },
    lease_put_off: ([, id, reason, from, claim, delay, , found]) => {
      const row = rows.get(id as string)
      if (!row || !isFrom(row, from, claim)) return []
      const end_reason = row.end_reason ?? reason
      Object.assign(row, { state: 'revoke_pending', attempts: row.attempts + 1, end_reason, delay })
      row.claim = found === true ? (row.claim ?? 'found') : claim === null ? row.claim : null
      return [{ id }]
    },
    refund_unused: () => {
      broken.refunds += 1
      return [{ ...SPENT, bound: 40, used_after: 3 }]
    },
    lease_open: ([json]) => {
      const given = JSON.parse(json as string) as Record<string, unknown>[]
      asked.push(...given)
      return given.map(({ n }) => ({ n, ...finding }))
    },
  }
  const query = async ({ name, values }: QueryConfig) => {
    const found = statements[name ?? '']?.(values ?? [])
    if (found === undefined) throw new Error(`an unknown statement: ${name ?? ''}`)
    return { rows: found, rowCount: found.length }
  }
  /** A lease that failed before it began: once. */
  const each = async ({ name }: Rowwise, row: Readonly<Record<string, unknown>>) => {
    if (name !== 'lease_fail') throw new Error(`an unknown statement: ${name}`)
    const id = row['id'] as string
    asked.push(row)
    if (rows.has(id)) return null
    rows.set(id, { ...MINTING, state: 'failed', end_reason: 'aborted' })
    return { n: 0 }
  }
  const ledger: Ledger = {
    find: () => Promise.resolve(null),
    async record(_key, work) {
      if (broken.ledger > 0) {
        broken.ledger -= 1
        throw new Error('the ledger is away')
      }
      const before = structuredClone(rows)
      try {
        const written = await work({ query, each, now: NOW } as unknown as Tx)
        entries.push(...written.entries)
        return Recorded.onRecord(written.value, entries.length, IDS.event)
      } catch (error) {
        rows.clear()
        for (const [id, row] of before) rows.set(id, row)
        throw error
      }
    },
  }
  const pool = { query } as unknown as Pool
  return { rows, entries, asked, finding, broken, pool, ledger }
}

export const MINTING: Row = {
  ...{ state: 'minting', end_reason: null, claim: null, attempts: 0, delay: null },
}
export const REFUNDED: Spent[] = [{ ...SPENT, limit: 40, usedAfter: 3 }]

const isFrom = (row: Row, from: unknown, claim: unknown) =>
  (from as string[]).includes(row.state) && (claim == null || claim === row.claim)
