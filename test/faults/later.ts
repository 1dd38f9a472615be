/**
 * Preloaded into a broker: time passes, for its machine and for the database that it asks for the time.
 * By how many milliseconds stands in the file that `FAULT_LATER` names, which is read again at SIGUSR2;
 * when the broker was first told so, is said.
 */
import { readFileSync } from 'node:fs'
import pg from 'pg'

const file = process.env['FAULT_LATER'] ?? ''
delete process.env['FAULT_LATER'] // The broker tells what it does not know.
const read = () => Number(readFileSync(file, 'utf8'))
let laterMs = read()
let toldMs = laterMs
process.on('SIGUSR2', () => {
  laterMs = read()
})

const RealDate = Date
const now = () => RealDate.now() + laterMs
globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
})

/** The chore that asks the database for the time is due every five seconds: here it is more often. */
const [EVERY_MS, SOONER_MS] = [5000, 250]
const realTimeout = globalThis.setTimeout
const sooner = (work: () => void, ms?: number) =>
  realTimeout(work, ms === EVERY_MS ? SOONER_MS : ms)
globalThis.setTimeout = Object.assign(sooner, { __promisify__: realTimeout.__promisify__ })

type Query = (this: unknown, ...args: unknown[]) => unknown
type Told = (error: unknown, result?: { rows: { now: Date }[] }) => void

/** What the house clock asks; a pool asks with a callback. */
const TIME = 'select clock_timestamp() as now'
const client = pg.Client.prototype as unknown as { query: Query }
const query = client.query
client.query = function (...args) {
  const callback = args.at(-1)
  if (args[0] !== TIME || typeof callback !== 'function') return query.apply(this, args)
  const told: Told = (error, result) => {
    for (const row of result?.rows ?? []) row.now = new RealDate(row.now.getTime() + laterMs)
    ;(callback as Told)(error, result)
    if (result === undefined || toldMs === laterMs) return
    toldMs = laterMs
    process.stderr.write(`later ${String(toldMs)}\n`)
  }
  return query.apply(this, [...args.slice(0, -1), told])
}
