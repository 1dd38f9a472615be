/** A sponsor with a thousand hops and two hundred live credentials: refused at once, and all of it dead soon. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import type { Standing } from '../../src/domain/chain.ts'
import { termsOf } from '../../src/domain/consent.ts'
import type { AgentId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { chainOf, insertHop, insertLease, insertRoot, type Row } from '../delegation/rows.ts'
import { memberOf } from './adaptor.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const ASK = { tool: 'sql.query', arguments: { sql: 'select 1' } }
const HOPS = 1000
const LEASES = 200
/** From the acknowledgement on. */
const REFUSED_MS = 1000
const DEAD_MS = 60_000

/** A consent that is on record, as the delivering side's rows need it. */
async function standingOf(w: World, id: string): Promise<Pick<Standing, 'consent'>> {
  const [row] = await w.database.query<{ id: string; sponsor: string; terms: JsonObject }>(
    'select id, sponsor, terms from procura.consent where id = $1',
    [id],
  )
  if (row === undefined) throw new Error('no such consent')
  return {
    consent: { ...row, terms: termsOf(row.terms) } as unknown as Standing['consent'],
  }
}

/** Five wide and as deep as may be, then wider: every hop another key, and the deepest have the leases. */
async function aTree(w: World, consent: string, agent: AgentId, hops: number): Promise<Row[]> {
  const { database: db } = w
  const rows: Row[] = [await insertRoot(db, await standingOf(w, consent))]
  for (let from = 0; rows.length <= hops; from += 1) {
    const above = rows[from]
    if (above === undefined) throw new Error('the tree has no room')
    if (above.hops.length > 7) continue
    for (let n = 0; n < 5 && rows.length <= hops; n += 1) {
      rows.push(await insertHop(db, above, { agent }))
    }
  }
  return rows.slice(1)
}

line(
  '[REV-02] a sponsor with 1,000 hops and 200 live credentials: every replica refuses, each is confirmed dead',
  async (w) => {
    const terms = { tools: ['sql.query'], purpose: 'reporting', max_hops: 7, max_uses: 1000 }
    const claims: JsonObject = { sub: `ana-${randomUUID()}` }
    const token = w.PT('ana', { claims })
    const doomed = await w.anAgent({ sponsor: 'ana', token, terms })
    const rows = await aTree(w, doomed.consent, doomed.id as AgentId, HOPS)
    const leaves = rows.slice(-LEASES)
    for (const row of leaves) {
      await insertLease(w.database, chainOf(row), { target: 'payments', tool: 'payments.refund' })
    }
    const sessions = await Promise.all([0, 1].map((at) => w.ST(doomed, { at })))
    const [of] = await w.database.query<{ sponsor: string }>(
      'select sponsor from procura.agent where id = $1',
      [doomed.id],
    )
    const sponsor = of?.sponsor ?? ''

    const target = { kind: 'sponsor', id: sponsor }
    const body = { target, cause: 'subject_disabled', reason: 'left the company' }
    const began = performance.now()
    const stopped = await w.accepted(w.asBearer(token, 'POST', '/v1/revocations', { body }))
    const acknowledged = performance.now()
    expect(stopped.body['revoked']).toMatchObject({
      delegations: HOPS,
      credentials: LEASES,
      roots: 1,
    })

    const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop: null } as const
    await Promise.all(
      [0, 1].map((at) =>
        w.refused(w.CR(doomed, { st: sessions[at] ?? '', at, body: ASK }), refusal),
      ),
    )
    const refused = performance.now()
    expect(refused - acknowledged).toBeLessThan(REFUSED_MS)

    const path = `/v1/revocations/${memberOf(stopped, 'id')}`
    for (;;) {
      const { body: now } = await w.accepted(w.asBearer(token, 'GET', path), 200)
      const { confirmed, pending } = now['confirmations'] as Record<string, number>
      if (pending === 0) {
        expect(confirmed).toBe(LEASES)
        break
      }
      expect(performance.now() - acknowledged, `${String(pending)} still live`).toBeLessThan(
        DEAD_MS,
      )
      await pause(50)
    }
    const [alive] = await w.database.query<{ n: number }>(
      'select count(*)::int as n from procura.lease where due_at is not null and sponsor = $1',
      [sponsor],
    )
    expect(alive?.n).toBe(0)
    process.stdout.write(
      `  acknowledged ${ms(began, acknowledged)}, refused by both ${ms(acknowledged, refused)} later, ` +
        `all ${String(LEASES)} confirmed ${ms(acknowledged, performance.now())} later\n`,
    )
  },
  { timeout: 120_000, isCounted: false },
)

const ms = (from: number, to: number) => `${String(Math.round(to - from))} ms`
