import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Chain } from '../../src/domain/chain.ts'
import type { Decision } from '../../src/domain/decision.ts'
import type { AgentId, ApprovalId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { bySystem } from '../../src/domain/request.ts'
import {
  aCall,
  aChain,
  aDecision,
  ALLOW,
  anAgent,
  anInstance,
  aPerson,
  by,
  type Parts,
  settle,
  theTerms,
} from '../fakes/deciding.ts'
import { anOffice, type Office } from '../fakes/office.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let db: TestDatabase
let office: Office
let house: Parts
let replica: Parts
let alice: ProvenPerson
let dba: ProvenPerson
let agent: AgentId
let chain: Chain

beforeAll(async () => {
  db = await freshDatabase()
  office = await anOffice(db)
  ;({ house, replica, alice, dba } = office)
})
beforeEach(async () => {
  chain = await office.chain()
  agent = chain.hops[0].agent
})

const asked = (...how: AskedHow) => office.asked(chain, ...how)
const decide: Office['decide'] = (...said) => office.decide(...said)
type AskedHow = Parameters<Office['asked']> extends [Chain, ...infer How] ? How : never
const using = (approval: ApprovalId, call = aCall()): Decision =>
  aDecision(chain, { answer: ALLOW, approval, call })

describe('using a yes', () => {
  const fitting = (id: ApprovalId, call = aCall(), of = chain) =>
    house.approvals.fitting(id, of, call)

  it('lifts the call that was approved, from any run of the agent', async () => {
    const one = await asked()
    expect(await house.approvals.fitting(undefined, chain, aCall())).toBeNull()
    expect(await fitting(one.id)).toBeNull()
    const { approval } = await decide(dba, one)
    const restarted = aChain(await house.consents.standing(chain.consent.id, agent))
    expect(await fitting(one.id, aCall(), restarted)).toEqual({
      ...{ id: one.id, bindingHash: one.binding, asked: approval.asked },
      approvedUntil: approval.approvedUntil,
    })
  })

  it('fits nothing else, and stays unused [APR-04] [APR-20]', async () => {
    const one = await asked()
    await decide(dba, one)
    const others = [
      aCall({ amount: 2 }),
      { ...aCall(), purpose: 'support.refunds' },
      { ...aCall(), ttlSeconds: 61 },
      aCall(undefined, { hash: 'another version' }),
    ]
    for (const call of others) {
      await expect(fitting(one.id, call)).rejects.toMatchObject({ code: 'args_mismatch' })
    }
    const { consent } = await house.consents.give(alice, theTerms(agent), by())
    const under = aChain(await house.consents.standing(consent.id, agent))
    const elsewhere = fitting(one.id, aCall(), under)
    await expect(elsewhere).rejects.toMatchObject({ code: 'args_mismatch' })
    await expect(fitting('apr_made_up')).rejects.toMatchObject({ code: 'not_found' })
    expect(await fitting(one.id)).not.toBeNull()
  })

  it('happens once of 20 at the same time, over two replicas [APR-05]', async () => {
    const one = await asked()
    await decide(dba, one)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => settle(n % 2 ? house : replica, using(one.id))),
    )
    const refused = outcomes.flatMap((one) =>
      one.status === 'rejected' ? [one.reason as Error] : [],
    )
    expect(refused).toHaveLength(19)
    for (const error of refused) expect(error).toMatchObject({ code: 'approval_consumed' })
    await expect(fitting(one.id)).rejects.toMatchObject({ code: 'approval_consumed' })
    const { consent } = await house.consents.find(alice, chain.consent.id)
    expect(consent.uses).toBe(1)
  })

  it('is told as unused until it is used, and never used by that', async () => {
    const one = await asked()
    await decide(dba, one)
    const check = () =>
      house.logs.pdp.record(null, async (tx) => {
        await tx.begun
        await house.approvals.checkUnused(tx, using(one.id))
        return { entries: [], value: null, answer: null }
      })
    await check()
    await check()
    await settle(replica, using(one.id))
    await expect(check()).rejects.toMatchObject({ code: 'approval_consumed' })
  })

  it('is refused after a no, an end, and a cancellation', async () => {
    const denied = await asked()
    await decide(dba, denied, { decision: 'deny' })
    await expect(fitting(denied.id)).rejects.toMatchObject({ code: 'approval_denied' })
    const cancelled = await asked()
    await house.approvals.cancel(anInstance(chain), cancelled.id, bySystem('r'))
    await expect(fitting(cancelled.id)).rejects.toMatchObject({ code: 'approval_cancelled' })
    const expired = await asked()
    await db.query(
      `update procura.approval set expires_at = now() - interval '1 s' where id = $1`,
      [expired.id],
    )
    await expect(fitting(expired.id)).rejects.toMatchObject({ code: 'approval_expired' })
  })

  it('ends with its time, looked at again as it is used up [APR-06]', async () => {
    const one = await asked()
    await decide(dba, one)
    await db.query(
      `update procura.approval set approved_until = now() - interval '1 s' where id = $1`,
      [one.id],
    )
    await expect(fitting(one.id)).rejects.toMatchObject({ code: 'approval_expired' })
    await expect(settle(house, using(one.id))).rejects.toMatchObject({ code: 'approval_expired' })
  })

  it.each([
    ['the role', `update procura.person set roles = '{auditor}' where id = $1`],
    ['the group', `update procura.person set groups = '{}' where id = $1`],
  ])('is refused when the approver has lost %s [APR-08]', async (_what, sql) => {
    const leaving = await aPerson(db, { roles: ['approver'], groups: ['dba'] })
    const one = await asked()
    await decide(leaving, one)
    expect(await fitting(one.id)).not.toBeNull()
    await db.query(sql, [leaving.person.id])
    await expect(fitting(one.id)).rejects.toMatchObject({ code: 'approver_not_allowed' })
  })

  it('of another agent is none [APR-19]', async () => {
    const one = await asked()
    const other = await anAgent(db, alice.person.id)
    const { consent } = await house.consents.give(alice, theTerms(other), by())
    const theirs = aChain(await house.consents.standing(consent.id, other))
    const used = fitting(one.id, aCall(), theirs)
    await expect(used).rejects.toMatchObject({ code: 'not_found' })
  })
})
