/** Loaded into a broker before its own code: while a file is there, no decision is redeemed. */
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'

const file = process.env['PROCURA_TEST_HOLD'] ?? ''

type Query = (this: unknown, ...args: unknown[]) => unknown
const prototype = pg.Client.prototype as unknown as { query: Query }
const { query } = prototype

prototype.query = function (...args) {
  const { name } = args[0] as { name?: string }
  if (name !== 'lease_open' || !existsSync(file)) return query.apply(this, args)
  return released().then(() => query.apply(this, args))
}

async function released(): Promise<void> {
  while (existsSync(file)) await pause(5)
}
