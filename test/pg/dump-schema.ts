/** `npm run schema`: writes migrations/schema.sql anew, for the reviewer to read. */
import { writeFileSync } from 'node:fs'
import { TEMPLATE, startServer, withDatabase } from './global.ts'
import { dumpSchema, findPgDump, SCHEMA } from './schema.ts'

const pgDump = findPgDump()
if (!pgDump) throw new Error('There is no pg_dump here: apt-get install postgresql-client')
const server = await startServer()
try {
  writeFileSync(SCHEMA, dumpSchema(pgDump, withDatabase(server.url, TEMPLATE)))
  process.stdout.write(`wrote ${SCHEMA}\n`)
} finally {
  await server.stop()
}
