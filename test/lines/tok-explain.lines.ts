/** What would be answered is what is answered: one function, asked twice. */
import { expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { REFUND } from '../scenario/house.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import type { Answer } from './wire.ts'

const REQUESTS = 1000
const AT_ONCE = 10
const SEED = 20261121

/** The same sequence for a seed (mulberry32). */
function dice(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return <T>(...choices: readonly [T, ...T[]]): T =>
    choices[Math.floor(next() * choices.length)] ?? choices[0]
}
type Dice = ReturnType<typeof dice>

function randomRequest(pick: Dice): JsonObject {
  const statement = pick(
    'select 1',
    'select * from orders',
    'select * from payroll',
    'drop table orders',
    'nonsense',
    '',
  )
  const amount = pick<number | string>(
    1,
    900,
    4999,
    5001,
    10_000,
    10_001,
    40_001,
    100_001,
    -1,
    '900',
  )
  const currency = pick('EUR', 'GBP', 'CHF')
  const args: JsonObject = pick(
    { sql: statement },
    { ...REFUND, amount, currency },
    { ...REFUND, amount },
  )
  const purpose = pick(
    undefined,
    undefined,
    'support.refunds',
    'support.refunds.goodwill',
    'support',
    'reporting',
    'none.such',
  )
  const ttl = pick(undefined, 30, 60, 3600)
  const tool =
    'sql' in args
      ? pick('sql.query', 'payments.refund')
      : pick('payments.refund', 'payments.refund', 'payments.payout')
  return {
    ...{ tool, arguments: pick(args, args, args, { ...args, more: true }) },
    ...(purpose !== undefined && { purpose }),
    ...(ttl !== undefined && { ttl_seconds: ttl }),
    ...(pick(false, false, false, true) && { approval: 'apr_01m7ysq11heassstccc64q4cfx' }),
  }
}

/** Status and code, told by either. */
function verdictOf({ status, body }: Answer): string {
  const { would_be: would } = body
  const told = would === undefined ? { status, code: body['code'] ?? null } : would
  const { status: as, code } = told as { status: number; code: string | null }
  return `${String(as)} ${String(code)}`
}

/** What is used, and what was given back meanwhile: what nobody used of a lease that ended. */
const SPENT = `select
  (select coalesce(sum(used), 0) from procura.budget where account = any($1::text[]) and key = 'calls')
  + (select coalesce(sum(amount), 0) from procura.spent
     where refunded and account = any($1::text[]) and key = 'calls') as n`

async function countOf(w: World, text: string, params: unknown[] = []): Promise<number> {
  const [row] = await w.database.query<{ n: string }>(text, params)
  return Number(row?.n)
}

line(
  `[TOK-09] explaining says what asking answers, and costs nothing (seed ${String(SEED)})`,
  async (w) => {
    const pick = dice(SEED)
    const agents = [
      await w.anAgent({
        terms: {
          tools: ['payments.refund'],
          purpose: 'support.refunds',
          constraints: [{ key: 'args.amount', max: 40_000 }],
        },
      }),
      await w.anAgent({ terms: { tools: ['sql.*'], purpose: 'maintenance' } }),
    ] as const
    const sessions = [await w.ST(agents[0]), await w.ST(agents[1])] as const
    const seen = new Map<string, number>()
    let issued = 0
    const opened = new Set<unknown>()
    const round = async (n: number) => {
      const who = n % 2
      const [agent, st] = [agents[who] ?? agents[0], sessions[who] ?? '']
      const body = randomRequest(pick)
      const told = await w.EX(agent, { st, body, at: n % 2 })
      const done = await w.CR(agent, { st, body, at: (n >> 1) % 2 })
      const verdict = verdictOf(done)
      expect(verdictOf(told), JSON.stringify(body)).toBe(verdict)
      seen.set(verdict, (seen.get(verdict) ?? 0) + 1)
      if (done.status === 201) issued += 1
      if (done.status === 202) opened.add((done.body['approval'] as JsonObject)['id'])
    }
    for (let from = 0; from < REQUESTS; from += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => round(from + k)))
    }
    // It would prove little if all were refused for one reason.
    for (const verdict of [
      '201 null',
      '202 approval_pending',
      '403 outside_authority',
      '403 access_denied',
      '422 arguments_invalid',
    ]) {
      expect([...seen.keys()]).toContain(verdict)
    }
    const consents = agents.map(({ consent }) => consent)
    expect(await countOf(w, SPENT, [consents])).toBe(issued)
    const asked = 'select count(*) as n from procura.approval where consent = any($1::text[])'
    expect(await countOf(w, asked, [consents])).toBe(opened.size)
  },
  { timeout: 180_000 },
)

line('[TOK-09] explaining at the end of a budget says so, however often it is asked', async (w) => {
  const agent = await w.anAgent({
    terms: { tools: ['payments.refund'], purpose: 'support.refunds', max_uses: 1 },
  })
  const st = await w.ST(agent)
  for (const at of [0, 1]) expect(verdictOf(await w.EX(agent, { st, at }))).toBe('201 null')
  await w.accepted(w.CR(agent, { st }))
  for (const at of [0, 1])
    expect(verdictOf(await w.EX(agent, { st, at }))).toBe('403 budget_exhausted')
  await w.refused(w.CR(agent, { st }), { status: 403, code: 'budget_exhausted' })
})
