/** Very many of one caller's: waits, keys, proofs, questions. Each has a bound, and what is kept is pruned. */
import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { expect } from 'vitest'
import { inBatches } from '../pg/batches.ts'
import { REFUND } from '../scenario/house.ts'
import { BODY, memberOf } from './adaptor.ts'
import { twoBrokers, type World } from './house.ts'
import type { Answer } from './wire.ts'

const { line } = twoBrokers({ env: { PROCURA_CALLER_REQUESTS_PER_SECOND: '10000' } })
const slow = { timeout: 90_000 }
const patient = { timeout: 15_000 }

/** A hundred thousand. */
const pileUpProofs = (w: World, { prefix, life }: { prefix: string; life: string }) =>
  inBatches(100_000, (from, to) =>
    w.database.query(
      `insert into procura.used_proof (tenant, key, expires_at)
       select 'main', $3 || n, clock_timestamp() + $4::interval
       from generate_series($1::int, $2) as n`,
      [from, to, prefix, life],
    ),
  )

const tally = (answers: readonly Answer[]) => {
  const sums: Record<string, number> = {}
  for (const { status } of answers) sums[status] = (sums[status] ?? 0) + 1
  return sums
}

line(
  '[DOS-11] of very many long polls one agent keeps ten, and others are served',
  async (w) => {
    const st = await w.ST(w.agent)
    const credential = memberOf(await w.CR(w.agent, { st }), 'id')
    const wait = () => w.asAgent(w.agent, 'GET', `/v1/credentials/${credential}?wait=25`, { st })
    const refused: Answer[] = []
    const waiting: Promise<Answer>[] = []
    for (let at = 0; at < 200; at += 1) {
      const asked = wait().then((answer) => {
        if (answer.status === 429) refused.push(answer)
        return answer
      })
      waiting.push(asked)
      if (at % 50 === 49)
        await expect.poll(() => refused.length, patient).toBeGreaterThanOrEqual(at - 9)
    }
    await expect.poll(() => refused.length, patient).toBe(190)
    const [first] = refused
    if (first) await w.refused(first, { status: 429, code: 'rate_limited' })
    expect(first?.headers.get('retry-after')).toBe('1')
    const other = await w.anAgent()
    await w.accepted(w.CR(other))
    await w.accepted(w.CR(w.agent, { st }))
    // What they wait for: the credential is given back, and all ten are told.
    await w.accepted(w.asAgent(w.agent, 'DELETE', `/v1/credentials/${credential}`, { st }), 200)
    expect(tally(await Promise.all(waiting))).toEqual({ 200: 10, 429: 190 })
  },
  { ...slow, isCounted: false },
)

line(
  '[DOS-12] one agent has a bounded number of open questions, and everything it leaves is pruned',
  async (w) => {
    const agent = await w.anAgent()
    const st = await w.ST(agent)
    const asks: Answer[] = []
    for (let at = 0; at < 60; at += 1) {
      const amount = 20_000 + at
      asks.push(await w.CR(agent, { st, body: { ...BODY, arguments: { ...REFUND, amount } } }))
    }
    const last = asks.at(-1)
    expect(tally(asks)).toEqual({ 202: 50, 429: 10 })
    if (last) await w.refused(last, { status: 429, code: 'rate_limited' })
    await w.accepted(w.CR(agent, { st }))

    await pileUpProofs(w, { prefix: 'old-', life: '-1 hour' })
    const left = async () => {
      const [row] = await w.database.query<{ n: number }>(
        "select count(*)::int as n from procura.used_proof where key like 'old-%'",
      )
      return row?.n
    }
    await expect.poll(left, { timeout: 45_000, interval: 500 }).toBe(0)
  },
  { ...slow, isCounted: false },
)

/** What is asked of these tables for each request, and when they are pruned. */
const QUERIES = [
  "delete from procura.used_proof where tenant = 'main' and expires_at < now() - interval '1 hour'",
  "insert into procura.used_proof values ('main', 'x', now()) on conflict do nothing",
  "select answer from procura.request_key where tenant = 'main' and caller = 'a' and route = 'b' and key = 'c'",
  "delete from procura.request_key where tenant = 'main' and created_at < now() - interval '1 day'",
  "select 1 from procura.approval where tenant = 'main' and id = 'apr_x'",
]

line(
  '[DOS-12] no table that a caller can fill is read from end to end',
  async (w) => {
    await pileUpProofs(w, { prefix: randomUUID(), life: '1 hour' })
    const client = new Client({ connectionString: w.database.url })
    await client.connect()
    // Small tables are read whole because that is cheapest: what counts is that nothing has to be.
    await client.query('analyze procura.used_proof; set enable_seqscan = off')
    for (const text of QUERIES) {
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${text}`)
      expect(rows.map((it) => it['QUERY PLAN']).join('\n'), text).not.toMatch(/Seq Scan/)
    }
    await client.end()
  },
  slow,
)
