/** What stands behind a session: looked up once a minute, and no less. */
import { expect, it } from 'vitest'
import { createBehind } from '../../src/delegation/behind.ts'
import { newId } from '../../src/domain/ids.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import { anAgent, anInstance, aPerson, parts, policies, theTerms, by } from '../fakes/deciding.ts'
import { freshDatabase } from '../pg/database.ts'
import { delegationOf, insertHop, insertInstance, insertRoot } from './rows.ts'

it('is what was registered, and for a minute what was known of the runs above', async () => {
  const db = await freshDatabase()
  const house = parts(db)
  await policies(db)
  const kim = await aPerson(db)
  const [desk, team, payer] = [
    await anAgent(db, kim.person.id),
    await anAgent(db, kim.person.id),
    await anAgent(db, kim.person.id),
  ]
  const { consent } = await house.consents.give(kim, theTerms(desk), by())
  const middle = await insertHop(db, await insertRoot(db, { consent }), { agent: team })
  const leaf = await insertHop(db, middle, { agent: payer })
  const { session } = anInstance({ consent })
  const at = { id: delegationOf(leaf), depth: 2, leaf: leaf.hops.at(-1)?.tokenHash ?? '' }
  const run = ProvenInstance.proven({ ...session, agent: payer, delegation: at }, 'jkt')
  let elapsedMs = 0
  const behind = createBehind({
    ...{ tenant: 'main', pool: db.pool('procura_pdp'), elapsed: () => elapsedMs },
  })
  const teamsRun = async () => (await behind(run))?.hops[1]?.instance

  expect(await behind(ProvenInstance.proven(session, 'jkt'))).toBeNull()
  const first = await behind(run)
  expect(first?.hops.map(({ agent }) => agent)).toEqual([desk, team, payer])
  expect(await teamsRun()).toBeNull()

  const [, { jkt }] = leaf.hops as unknown as [unknown, { jkt: string }]
  const instance = newId('ins', new Date())
  await insertInstance(db, { agent: team, instance, jkt })
  elapsedMs = 59_999
  expect(await teamsRun()).toBeNull()
  elapsedMs = 60_000
  expect(await teamsRun()).toBe(instance)
})
