/** The first leaf of a new log. */
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'

/** Writes index 0, unless it is there. */
export async function openLog(ledger: Ledger, tenant: string, origin: string): Promise<void> {
  await ledger.record(null, async (tx) => {
    const { rows } = await tx.query('select from ledger.leaf where tenant = $1 limit 1', [tenant])
    const first = { type: 'log_opened', act: bySystem('start'), name: origin } as const
    return { entries: rows.length === 0 ? [first] : [], value: null, answer: null }
  })
}
