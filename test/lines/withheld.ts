/** A table that nobody can write to for a while, as when what holds it is stuck. */
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { inject } from 'vitest'
import { withDatabase } from '../pg/global.ts'
import type { World } from './house.ts'

export interface Withheld {
  /** Resolves when somebody waits to write to it. */
  readonly isWaitedFor: () => Promise<void>
  readonly release: () => Promise<void>
}

export async function withhold(
  { database }: Pick<World, 'database'>,
  table: string,
): Promise<Withheld> {
  const client = new Client({ connectionString: withDatabase(inject('adminUrl'), database.name) })
  await client.connect()
  await client.query(`begin; lock table ${table} in share mode`)
  return {
    async isWaitedFor() {
      const deadline = performance.now() + 10_000
      while (performance.now() < deadline) {
        const waiting = await database.query(
          'select 1 from pg_locks where relation = $1::regclass and not granted',
          [table],
        )
        if (waiting.length > 0) return
        await pause(5)
      }
      throw new Error(`nobody waits for ${table}`)
    },
    async release() {
      await client.query('rollback')
      await client.end()
    },
  }
}
