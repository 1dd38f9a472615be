import { beforeAll, expect, it } from 'vitest'
import type { ProvenPerson } from '../../src/domain/person.ts'
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
