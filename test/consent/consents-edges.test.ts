import { beforeAll, expect, it } from 'vitest'
import type { Terms } from '../../src/domain/consent.ts'
import { type AgentId, newId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { aPerson, anAgent, by, parts, type Parts, policies, theTerms } from '../fakes/deciding.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let db: TestDatabase
let house: Parts
let alice: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  alice = await aPerson(db)
})

const give = (agent: AgentId, terms: Partial<Terms> = {}) =>
  house.consents.give(alice, theTerms(agent, terms), by())

it('the first of a key is no repeat', async () => {
  const agent = await anAgent(db, alice.person.id)
  expect((await give(agent)).isRepeat).toBe(false)
})

it('is refused for an agent that is retired while the rules are asked, and leaves nothing', async () => {
  const agent = await anAgent(db, alice.person.id)
  const racing = parts(db, {
    mayConsent: async () => {
      await house.revocation.retire(alice, agent, by())
      return { refused: null, policyEpoch: 0 }
    },
  })
  const late = racing.consents.give(alice, theTerms(agent), by())
  await expect(late).rejects.toMatchObject({ code: 'not_found' })
  expect(await house.consents.ofAgent(agent, null)).toEqual([])
})

it('is refused where other rules come into force while these are asked, and leaves nothing', async () => {
  const own = await freshDatabase()
  const person = await aPerson(own)
  const agent = await anAgent(own, person.person.id)
  const racing = parts(own, {
    mayConsent: async () => {
      await policies(own)
      return { refused: null, policyEpoch: 0 }
    },
  })
  const late = racing.consents.give(person, theTerms(agent), by())
  const shown = { reason: 'policy_epoch' }
  await expect(late).rejects.toMatchObject({ code: 'decision_stale', shown })
  expect(await racing.consents.ofAgent(agent, null)).toEqual([])
  const { consents } = parts(own)
  await consents.give(person, theTerms(agent), by())
  expect(await consents.ofAgent(agent, null)).toHaveLength(1)
})

it('is found under its own id, and under no other', async () => {
  const nobody = house.consents.find(alice, newId('con', new Date()))
  await expect(nobody).rejects.toMatchObject({ code: 'not_found' })
})

it('is what its agent stands on, for a gateway too', async () => {
  const agent = await anAgent(db, alice.person.id)
  const { consent } = await give(agent)
  expect(await house.consents.standing(consent.id, agent)).toMatchObject({ consent })
})

it('is read for a session by its name, whatever became of it; without one no more than two that hold', async () => {
  const agent = await anAgent(db, alice.person.id)
  const given = [await give(agent), await give(agent), await give(agent), await give(agent)]
  const [first, second, third, last] = given.map(({ consent }) => consent.id)
  if (first === undefined || second === undefined) throw new Error('they were given')
  const read = async (named: typeof first | null) =>
    (await house.consents.ofAgent(agent, named)).map(({ id, status }) => [id, status])
  await house.revocation.withdraw(alice, first, by())
  expect(await read(first)).toEqual([[first, 'withdrawn']])
  expect(await read(null)).toEqual([
    [last, 'active'],
    [third, 'active'],
  ])
  const other = await anAgent(db, alice.person.id)
  expect(await house.consents.ofAgent(other, second)).toEqual([])
})

it('a page that holds all of them is the last one, and goes on after its last', async () => {
  const agent = await anAgent(db, alice.person.id)
  const ids: string[] = []
  for (let n = 0; n < 4; n += 1) ids.unshift((await give(agent)).consent.id)
  const page = async (limit: number) =>
    (await house.consents.list(alice, { limit, before: null, agent, status: null })).next
  expect([await page(3), await page(4), await page(5)]).toEqual([ids[2], null, null])
})
