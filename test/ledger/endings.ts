/** A log of the side that delivers, and what it records in these tests: that a credential has ended. */
import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { newId } from '../../src/domain/ids.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import type { TestDatabase } from '../pg/database.ts'

export const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
const ended = (): LedgerEntry => ({
  ...{ type: 'credential_ended', act: bySystem('test'), credential: newId('crd', new Date()) },
  ...{ reason: 'expired', refunded: [] },
  effect: { observed: 'unknown', source: 'none', agreement: 'indeterminate' },
})
export const written = <T>(value: T) => ({ entries: [ended()], value, answer: null })

export const logOf = (pool: Pool) =>
  createLog({ tenant: 'main', pool, door: 'append_issued', sealer })
export const count = async (db: TestDatabase) => (await db.query('select from ledger.leaf')).length
