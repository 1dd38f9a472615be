import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { freshDatabase } from '../pg/database.ts'
import { dumpSchema, findPgDump, firstLine, SCHEMA } from '../pg/schema.ts'

describe('migrations/schema.sql', () => {
  it('is what all migrations make of an empty database: `npm run schema` writes it (needs its pg_dump)', async ({
    skip,
  }) => {
    const pgDump = findPgDump()
    if (!pgDump) {
      if (process.env['CI']) throw new Error('CI holds the schema by pg_dump, and there is none')
      return skip('no pg_dump here')
    }
    const committed = readFileSync(SCHEMA, 'utf8')
    if (!committed.startsWith(firstLine(pgDump))) {
      return skip(`it holds for another version than pg_dump ${String(pgDump.major)}`)
    }
    const { url } = await freshDatabase()
    expect(dumpSchema(pgDump, url)).toBe(committed)
  })
})
