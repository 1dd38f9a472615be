import { beforeAll, expect, it } from 'vitest'
import type { ProvenPerson } from '../../src/domain/person.ts'
import type { Wanted } from '../../src/revocation/revocation.ts'
import { delegationOf, chainOf, insertHop, insertLease, insertRoot } from '../delegation/rows.ts'
import { aPerson, anAgent, by, parts, type Parts, policies, theTerms } from '../fakes/deciding.ts'
import { inBatches } from '../pg/batches.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

/** More than are noted, to be confirmed, when they are stopped. */
const MANY = 5003

let db: TestDatabase
let house: Parts
let kim: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  await policies(db)
  kim = await aPerson(db)
})

/** So many leases like this one. */
const copies = (lease: string) =>
  inBatches(MANY - 1, (from, to) =>
    db.query(
      `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
         sponsor, agent, instance, consent, delegation, jkt, intent, revocation_epoch, issued_at, expires_at)
       select tenant, id || n, decision_id || n, 'active', connector, target,
         'cb_' || translate(right(md5(id || n), 26), '0189', 'wxyz'), sponsor, agent, instance, consent,
         delegation, jkt, intent, revocation_epoch, issued_at, expires_at
       from procura.lease, generate_series($2::int, $3) n where id = $1`,
      [lease, from, to],
    ),
  )

it.each(['agent', 'delegation'] as const)(
  '[REV-02] a stop of %s says that nothing is pending when all under it are dead, and not some thousands of them',
  async (kind) => {
    const agent = await anAgent(db, kim.person.id)
    const { consent } = await house.consents.give(kim, theTerms(agent, { maxHops: 5 }), by())
    const root = await insertRoot(db, await house.consents.standing(consent.id, agent))
    const hop = await insertHop(db, root, { agent })
    await copies(await insertLease(db, chainOf(hop)))
    const target: Wanted['target'] = { kind, id: kind === 'agent' ? agent : delegationOf(hop) }
    const stopped = await house.revocation.revoke(
      kim,
      { target, cause: 'compromised', reason: null },
      by(),
    )
    expect(stopped.confirmations.pending).toBeGreaterThanOrEqual(5000)

    const pendingAfterEnd = async (which: string) => {
      await db.query(
        `update procura.lease l set state = 'revoked', ended_at = now(), confirmed_dead_at = now()
         where l.agent = $1 and l.ended_at is null and ${which}`,
        [agent],
      )
      return (await house.revocation.find(kim, stopped.revocation.id)).confirmations.pending
    }
    const isNoted = `l.id in (select lease from procura.reached)`
    expect(await pendingAfterEnd(isNoted)).toBe(3)
    expect(await pendingAfterEnd('true')).toBe(0)
  },
)
