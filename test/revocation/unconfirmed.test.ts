import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { createBreaker } from '../../src/db/breaker.ts'
import { createPool } from '../../src/db/connect.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { unconfirmed } from '../../src/revocation/unconfirmed.ts'
import { insertLease } from '../delegation/rows.ts'
import {
  aChain,
  aPerson,
  by,
  parts,
  type Parts,
  policies,
  theTerms,
  anAgent,
} from '../fakes/deciding.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { inBatches } from '../pg/batches.ts'

let db: TestDatabase
let house: Parts
const people: Record<'kim' | 'omar' | 'olga' | 'avi', ProvenPerson> = {} as never

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  await policies(db)
  people.kim = await aPerson(db)
  people.omar = await aPerson(db)
  people.olga = await aPerson(db, { roles: ['operator'] })
  people.avi = await aPerson(db, { roles: ['auditor'] })
})

/** A lease of an agent of this person; `late`: seconds since its end. */
async function aLease(person: ProvenPerson, { state = 'active', late = -60 } = {}) {
  const { consent } = await house.consents.give(
    person,
    theTerms(await anAgent(db, person.person.id)),
    by(),
  )
  const standing = await house.consents.standing(consent.id, consent.terms.agent)
  const id = await insertLease(db, aChain(standing))
  await db.query(
    `update procura.lease set expires_at = clock_timestamp() - $2 * interval '1 s' where id = $1`,
    [id, late],
  )
  if (state === 'revoke_pending') {
    await db.query(
      `update procura.lease set state = 'revoke_pending', end_reason = 'revoked', attempts = 4,
         next_try_at = clock_timestamp() + interval '1 h' where id = $1`,
      [id],
    )
  }
  return id
}
/** Most of them were put off and are due again; to some nobody came. */
async function leftOver({ person }: ProvenPerson, count: number) {
  await inBatches(count, (from, to) =>
    db.query(
      `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
         audience, sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at,
         end_reason, next_try_at)
       select l.tenant, 'crd_0' || lpad(n::text, 25, '0'), 'dec_0' || lpad(n::text, 25, '0'),
         case n % 10 when 0 then 'active' else 'revoke_pending' end, l.connector, 'target-' || n % 7,
         'cb_' || translate(lpad(n::text, 26, '0'), '0123456789', 'abcdefghij'), l.audience, l.sponsor,
         l.agent, l.instance, l.consent, l.jkt, l.intent || jsonb_build_object('args', repeat('x', 1000)),
         0, l.issued_at, clock_timestamp() - interval '1 h', 'expired',
         case when n % 10 > 0 then clock_timestamp() - interval '1 min' end
       from generate_series($2::int, $3) n,
         (select * from procura.lease where sponsor = $1 order by id limit 1) l`,
      [person.id, from, to],
    ),
  )
}
type Page = Parameters<typeof unconfirmed>[3]
const listed = async (person: ProvenPerson) =>
  (await house.revocation.unconfirmed(person, { limit: 50, before: null })).items

it('[REV-10] tells what was put off and what nobody came to, and nothing that is alive or over', async () => {
  const pending = await aLease(people.kim, { state: 'revoke_pending' })
  const overdue = await aLease(people.kim, { late: 30 })
  await aLease(people.kim)
  await aLease(people.kim, { late: 1 }) // It is being ended now.
  const over = await aLease(people.kim, { late: 30 })
  await db.query(`update procura.lease set state = 'expired', ended_at = now() where id = $1`, [
    over,
  ])
  const found = await listed(people.kim)
  expect(found.map(({ id }) => id)).toEqual([overdue, pending])
  expect(found[1]).toMatchObject({ state: 'revoke_pending', reason: 'revoked', attempts: 4 })
  expect(found[0]).toMatchObject({ state: 'active', reason: null, attempts: 0, nextTryAt: null })
})

it('shows a sponsor their own, operators and auditors all, page by page', async () => {
  const own = await aLease(people.omar, { state: 'revoke_pending' })
  expect((await listed(people.omar)).map(({ id }) => id)).toEqual([own])
  const all = await listed(people.olga)
  expect(all.length).toBeGreaterThan(1)
  expect(await listed(people.avi)).toEqual(all)

  const first = await house.revocation.unconfirmed(people.olga, { limit: 1, before: null })
  expect([first.items, first.next]).toEqual([all.slice(0, 1), all[0]?.id])
  const rest = await house.revocation.unconfirmed(people.olga, { limit: 50, before: first.next })
  expect([rest.items, rest.next]).toEqual([all.slice(1), null])
})

it('is told page by page, within what the front waits, when a hundred thousand are left of an outage', async () => {
  const found = await listed(people.olga)
  await aLease(people.kim, { state: 'revoke_pending' })
  const own = await aLease(people.omar, { late: 30 })
  await leftOver(people.kim, 100_000)
  const serving = {
    url: db.url,
    role: 'procura_front',
    max: 2,
    breaker: createBreaker(db.url),
  } as const
  const pool = createPool(serving)
  onTestFinished(() => pool.end())
  const page = (person: ProvenPerson, before: Page['before'] = null) =>
    unconfirmed(pool, 'main', person, { limit: 50, before })

  // Often enough that the plan is one for any values.
  for (let n = 0; n < 7; n += 1) {
    expect((await page(people.omar)).items.map(({ id }) => id)).toContain(own)
  }
  const first = await page(people.olga)
  expect(first.items).toHaveLength(50)
  const names = first.items.map(({ id }) => id)
  expect(names).toEqual([...new Set(names)].sort().reverse())
  expect(names).toEqual(expect.arrayContaining(found.map(({ id }) => id)))
  const second = await page(people.olga, first.next)
  expect(second.items).toHaveLength(50)
  expect(second.items[0]?.id.localeCompare(first.next ?? '')).toBe(-1)
}, 60_000)
