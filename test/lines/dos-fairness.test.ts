/** One sponsor's agents ask for far more than their share, and the others for little. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { COUNT, READING } from '../scenario/house.ts'
import { afterTheStart, ALIVE, expectNoSlower, made, meanwhileOf } from './flood.ts'
import { twoBrokers } from './house.ts'

/** Of a sponsor's agents together, a second, at each broker; and what the others ask for. */
const QUOTA = 5
const PACE = 3
const { line } = twoBrokers({
  isFlooded: true,
  env: { PROCURA_SPONSOR_REQUESTS_PER_SECOND: String(QUOTA), PROCURA_LOG: 'error' },
})

line(
  "[DOS-17] one sponsor's agents far over their quota cost the others nothing",
  async (w) => {
    const mine = await w.anAgent({ sponsor: 'ana', terms: READING })
    const st = await w.ST(mine)
    const ask = () => w.EX(mine, { st, body: { tool: 'sql.query', arguments: { sql: COUNT } } })
    const greedy = await Promise.all([0, 1, 2].map(() => w.anAgent()))
    const sessions = await Promise.all(greedy.map((agent) => w.ST(agent)))
    const load = { perSecond: 2 * QUOTA * 10, seconds: 5 }
    const flood = { ports: w.brokers.map(({ port }) => port), ...load, from: '127.0.0.2' }
    await afterTheStart(w)
    async function besideGreedyOnes() {
      const requests = Array.from({ length: load.perSecond * load.seconds }, (_, at) =>
        made(w, greedy[at % 3] ?? w.agent, sessions[at % 3] ?? ''),
      )
      const before = await meanwhileOf(ask, PACE, { ...flood, requests: [ALIVE] })
      const meanwhile = await meanwhileOf(ask, PACE, { ...flood, requests })
      const { '201': given = 0, '429': refused = 0 } = meanwhile.flood
      expect(['201', '429', '503']).toEqual(expect.arrayContaining(Object.keys(meanwhile.flood)))
      expect(given).toBeLessThanOrEqual(2 * QUOTA * (2 + meanwhile.seconds))
      expect(refused).toBeGreaterThan(given)
      expect(meanwhile.statuses).toEqual(new Set(['200']))
      return { before, meanwhile }
    }
    await expectNoSlower(w, 1.5, besideGreedyOnes)
    await pause(1500) // The control's sponsor is the same.
  },
  { isCounted: false, timeout: 150_000 },
)
