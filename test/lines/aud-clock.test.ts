/** Brokers whose own clocks are wrong: the first an hour behind, the second an hour ahead. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { isObject, parseTrusted } from '../../src/domain/json.ts'
import { eventually } from '../scenario/house.ts'
import { twoBrokers } from './house.ts'

const preloaded = ['shift-clock.ts', 'meter.ts']
  .map((file) => `--import ${pathToFileURL(join(import.meta.dirname, file)).href}`)
  .join(' ')
const { line } = twoBrokers({ env: { NODE_OPTIONS: preloaded } })
const SLACK_MS = 5000

line(
  '[AUD-16] [I16] leave the order and the times of the record, and lives, as they are',
  async (w) => {
    const given: [expires: number, ttl: number][] = []
    for (let n = 0; n < 6; n += 1) {
      const { body } = await w.control(n % 2)
      given.push([Date.parse(textIn(body, 'expires_at')), Number(body['lease_duration'])])
    }
    for (const [expires, ttl] of given) {
      expect(ttl).toBeGreaterThan(0)
      const left = expires - Date.now()
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThan(ttl * 1000 + SLACK_MS)
    }
    const rows = await w.database.query<{ entry: string }>(
      'select entry from ledger.leaf order by index',
    )
    let last = 0
    for (const { entry } of rows) {
      const record = parseTrusted(entry)
      if (!isObject(record)) throw new Error('a leaf is no object')
      const at = Date.parse(textIn(record, 'recorded_at'))
      expect(record).toMatchObject({ time_basis: 'database' })
      expect(Math.abs(at - Date.now())).toBeLessThan(10 * 60_000)
      if (at < last) expect(record).toMatchObject({ clock_regressed: true })
      last = at
    }
    const [lives] = await w.database.query<{ n: number }>(
      `select count(*)::int as n from procura.lease where expires_at <= issued_at
     or expires_at > issued_at + interval '1 hour'`,
    )
    expect(lives?.n).toBe(0)

    // Nobody is misled by it, and whoever watches is told.
    for (const at of [0, 1]) {
      const { port = 0 } = w.brokers[at] ?? {}
      await eventually('readyz being told of the clock', async () => {
        const ready = await fetch(`http://127.0.0.1:${String(port)}/readyz`)
        return ((await ready.json()) as { failing?: string }).failing === 'clock'
      })
    }
  },
  { isReady: false, timeout: 90_000 },
)
