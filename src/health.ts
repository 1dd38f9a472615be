/** Ready is: the write path works, the rules decide right, and the log is signed. */
import type { Pool } from 'pg'
import type { Readiness } from './http/front.ts'

export interface HealthOptions {
  /** Connections of the sides that record: each must get its turn. */
  readonly recording: readonly Pool[]
  readonly tenant: string
  readonly isPolicyHealthy: () => boolean
  readonly isDraining: () => boolean
}

export function createHealth({ recording, tenant, isPolicyHealthy, isDraining }: HealthOptions) {
  return {
    /** `failing` names the first part that is not there. */
    async ready(): Promise<Readiness> {
      if (isDraining()) return { failing: 'draining' }
      for (const pool of recording) {
        if (!(await canRecord(pool, tenant))) return { failing: 'database' }
      }
      return { failing: isPolicyHealthy() ? null : 'policy' }
    },
  }
}

/** Takes the turn to append, as every record does, and gives it back unused. */
async function canRecord(pool: Pool, tenant: string): Promise<boolean> {
  try {
    const client = await pool.connect()
    try {
      await client.query('begin')
      await client.query('select next from ledger.turn($1)', [tenant])
      await client.query('rollback')
      client.release()
      return true
    } catch {
      client.release(true)
      return false
    }
  } catch {
    return false
  }
}
