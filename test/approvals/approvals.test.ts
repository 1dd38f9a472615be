import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Chain } from '../../src/domain/chain.ts'
import { digestOf } from '../../src/domain/digest.ts'
import { type AgentId, type ApprovalId, newId } from '../../src/domain/ids.ts'
import { readToken } from '../../src/domain/jws.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { bySystem } from '../../src/domain/request.ts'
import {
  aDecision,
  anAgent,
  anInstance,
  aPerson,
  ask,
  by,
  type Parts,
  settle,
  signer,
} from '../fakes/deciding.ts'
import { anOffice, type Office } from '../fakes/office.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { turnOfAnother } from '../pg/turn.ts'

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
const leaves = (type: string) => office.leaves(type)

describe('asking', () => {
  it('opens one approval for the same call, however often it is asked [APR-18]', async () => {
    const decision = () => aDecision(chain, { answer: ask(chain) })
    const settled = await Promise.all(
      Array.from({ length: 20 }, (_, n) => settle(n % 2 ? house : replica, decision())),
    )
    expect(new Set(settled.map((one) => one.asked?.id)).size).toBe(1)
  })

  it('does not wear people down: too many different ones are refused [APR-18]', async () => {
    for (const amount of [1, 2, 3]) await asked({ amount })
    await expect(asked({ amount: 4 })).rejects.toMatchObject({ code: 'rate_limited' })
    await expect(asked({ amount: 3 })).resolves.toBeDefined()
  })

  it('nor when they are all asked at once, over two replicas [APR-18]', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) =>
        settle(n % 2 ? house : replica, {
          ...aDecision(chain, { answer: ask(chain) }),
          bindingHash: digestOf({ n }),
        }),
      ),
    )
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(lost).toHaveLength(9)
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'rate_limited' })
  })

  it('shows the call as it will run, and says who wrote the reason', async () => {
    const { id } = await asked({ amount: 900 })
    const approval = await house.approvals.find(dba, id)
    expect(approval).toMatchObject({ status: 'pending', justification: 'x' })
    expect(approval.shown).toMatchObject({
      path: [{ agent_id: agent, name: 'desk', purpose: 'support' }],
      ...{ tool: 'crm.read', target: 'crm', arguments: { amount: 900 }, purpose: 'support' },
    })
  })
})

describe('answering', () => {
  it('is a word of somebody asked, signed and on record', async () => {
    const one = await asked()
    const decided = await decide(dba, one)
    expect(decided.approval).toMatchObject({ status: 'approved', approver: dba.person.id })
    const { claims } = readToken('approval', decided.evidence, signer, { now: new Date() })
    expect(claims).toMatchObject({
      ...{ sub: dba.person.id, approval_id: one.id, decision: 'approve', level: 'L2' },
      ...{ jti: decided.eventId, binding_hash: one.binding, method: 'session' },
    })
    const [leaf] = (await leaves('approval_decided')).slice(-1)
    expect(leaf?.entry).toContain(`"decision":"approve"`)
    expect(leaf?.entry).not.toContain('fine by me')
  })

  it('is not for one’s own chain, nor for those the rule does not name [APR-01]', async () => {
    const one = await asked()
    await expect(decide(alice, one)).rejects.toMatchObject({ code: 'self_approval' })
    const stranger = await aPerson(db, { roles: ['approver'], groups: ['other'] })
    await expect(decide(stranger, one)).rejects.toMatchObject({ code: 'approver_not_allowed' })
    const noRole = await aPerson(db, { roles: ['auditor'], groups: ['dba'] })
    await expect(decide(noRole, one)).rejects.toMatchObject({ code: 'role_required' })
    const own = await asked({ amount: 2 }, ['sponsor'])
    await expect(decide(dba, own)).rejects.toMatchObject({ code: 'approver_not_allowed' })
    expect((await decide(alice, own)).approval.status).toBe('approved')
    const both = await asked({ amount: 3 }, ['dba', 'legal'])
    await expect(decide(dba, both)).rejects.toMatchObject({ code: 'approver_not_allowed' })
  })

  it('takes no turn of the ledger where there is none, or where somebody else is asked', async () => {
    const one = await asked()
    const stranger = await aPerson(db, { roles: ['approver'], groups: ['other'] })
    await turnOfAnother(db, 'procura_front')
    const none = { ...one, id: newId('apr', new Date()) }
    await expect(decide(dba, none)).rejects.toMatchObject({ code: 'not_found' })
    await expect(decide(stranger, one)).rejects.toMatchObject({ code: 'approver_not_allowed' })
    await expect(decide(alice, one)).rejects.toMatchObject({ code: 'self_approval' })
  })

  it('needs a recent sign-in [APR-14], what was shown [APR-15], and a passkey at L3', async () => {
    const one = await asked()
    const tired = await aPerson(db, { roles: ['approver'], groups: ['dba'] }, 3700)
    await expect(decide(tired, one)).rejects.toMatchObject({ code: 'step_up_required' })
    const other = { ...one, binding: one.binding.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')) }
    await expect(decide(dba, other)).rejects.toMatchObject({ code: 'args_mismatch' })
    const strong = await asked({ amount: 2 }, ['dba'], 'L3')
    await expect(decide(dba, strong)).rejects.toMatchObject({ code: 'signature_required' })
    expect((await decide(dba, strong, { decision: 'deny' })).approval.status).toBe('denied')
    const long = decide(dba, one, { approvedUntil: new Date(Date.now() + 3700_000) })
    await expect(long).rejects.toMatchObject({ code: 'schema_violation' })
    expect((await house.approvals.find(dba, one.id)).status).toBe('pending')
  })

  it('counts once: the first word wins, and the second is on record too [APR-07]', async () => {
    const one = await asked()
    await decide(dba, one, { decision: 'deny' })
    const other = await aPerson(db, { roles: ['approver'], groups: ['dba'] })
    const before = (await leaves('approval_decided')).length
    await expect(decide(other, one)).rejects.toMatchObject({ code: 'conflict' })
    const late = (await leaves('approval_decided')).slice(before)
    expect(late).toHaveLength(1)
    expect(late[0]?.entry).toContain(other.person.id)
    expect(late[0]?.entry).toContain('"status":"denied"')
    await expect(decide(other, one, { decision: 'deny' })).rejects.toMatchObject({
      code: 'conflict',
    })
    expect((await house.approvals.find(dba, one.id)).approver).toBe(dba.person.id)
  })

  it('is one word of 20 that race over two replicas', async () => {
    const { id, binding } = await asked()
    const people = await Promise.all(
      Array.from({ length: 20 }, () => aPerson(db, { roles: ['approver'], groups: ['dba'] })),
    )
    const said = { bindingHash: binding, reason: null, approvedUntil: null }
    const outcomes = await Promise.allSettled(
      people.map((person, n) => {
        const decision = n % 2 ? 'approve' : 'deny'
        return (n % 3 ? house : replica).approvals.decide(person, id, { ...said, decision }, by())
      }),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('is told again under the same key', async () => {
    const one = await asked()
    const key = by({ key: 'decide-1' })
    const first = await decide(dba, one, {}, key)
    const again = await decide(dba, one, {}, key)
    expect(again).toEqual({ ...first, isRepeat: true })
  })

  it('comes too late after the end, which is on record once [APR-06]', async () => {
    const one = await asked()
    await db.query(
      `update procura.approval set expires_at = now() - interval '1 s' where id = $1`,
      [one.id],
    )
    await expect(decide(dba, one)).rejects.toMatchObject({ code: 'approval_expired' })
    expect((await house.approvals.find(dba, one.id)).status).toBe('expired')
    await expect(asked()).rejects.toMatchObject({ code: 'unavailable' })
    const before = (await leaves('approval_decided')).length
    const act = bySystem('sweep')
    const ended = [house.approvals.expireDue(act), replica.approvals.expireDue(act)]
    expect((await Promise.all(ended)).toSorted()).toEqual([0, 1])
    expect(await leaves('approval_decided')).toHaveLength(before + 1)
    const anew = await asked()
    expect(anew.id).not.toBe(one.id)
  })
})

describe('reading and calling off', () => {
  it('lists what one is asked about or has answered, and nothing else', async () => {
    const one = await asked()
    const page = { limit: 50, before: null, status: 'pending' } as const
    const ids = async (person: ProvenPerson, status: 'pending' | 'approved' = 'pending') =>
      (await house.approvals.list(person, { ...page, status })).items.map(({ id }) => id)
    expect(await ids(dba)).toContain(one.id)
    expect(await ids(alice)).not.toContain(one.id)
    const stranger = await aPerson(db, { roles: ['approver'], groups: [] })
    expect(await ids(stranger)).toEqual([])
    const unseen = house.approvals.find(stranger, one.id)
    await expect(unseen).rejects.toMatchObject({ code: 'not_found' })
    await decide(dba, one)
    expect(await ids(dba, 'approved')).toContain(one.id)
    const own = await asked({ amount: 2 }, ['sponsor'])
    expect(await ids(alice)).toContain(own.id)
    expect(await ids(dba)).not.toContain(own.id)
  })

  it('is for the agent that asked, in whichever run; for another there is none [APR-19]', async () => {
    const one = await asked()
    const sibling = anInstance(chain)
    expect((await house.approvals.findForAgent(sibling, one.id)).id).toBe(one.id)
    const terms = { ...chain.consent.terms, agent: await anAgent(db, alice.person.id) }
    const other = anInstance({ consent: { ...chain.consent, terms } })
    const act = bySystem('r')
    const unseen = house.approvals.findForAgent(other, one.id)
    await expect(unseen).rejects.toMatchObject({ code: 'not_found' })
    const refused = house.approvals.cancel(other, one.id, act)
    await expect(refused).rejects.toMatchObject({ code: 'not_found' })
    expect((await house.approvals.cancel(sibling, one.id, act)).status).toBe('cancelled')
    expect((await house.approvals.cancel(sibling, one.id, act)).status).toBe('cancelled')
    await expect(decide(dba, one)).rejects.toMatchObject({ code: 'conflict' })
    const answered = await asked({ amount: 2 })
    await decide(dba, answered)
    const late = house.approvals.cancel(sibling, answered.id, act)
    await expect(late).rejects.toMatchObject({ code: 'conflict' })
  })

  it('is called off once, however many do so at once', async () => {
    const one = await asked()
    const before = (await leaves('approval_decided')).length
    const act = bySystem('r')
    const ended = await Promise.all(
      [house, replica, house, replica].map(({ approvals }) =>
        approvals.cancel(anInstance(chain), one.id, act),
      ),
    )
    expect(ended.map(({ status }) => status)).toEqual(Array(4).fill('cancelled'))
    expect(await leaves('approval_decided')).toHaveLength(before + 1)
  })

  it('takes no turn of the ledger to be called off where it is another’s, over, or none', async () => {
    const [cancelled, denied] = [await asked(), await asked({ amount: 2 })]
    const foreign = (await office.asked(await office.chain())).id
    const act = bySystem('r')
    const cancel = (id: ApprovalId) => house.approvals.cancel(anInstance(chain), id, act)
    await cancel(cancelled.id)
    await decide(dba, denied, { decision: 'deny' })
    await turnOfAnother(db, 'procura_front')
    expect((await cancel(cancelled.id)).status).toBe('cancelled')
    await expect(cancel(denied.id)).rejects.toMatchObject({ code: 'conflict' })
    for (const id of [foreign, newId('apr', new Date())]) {
      await expect(cancel(id)).rejects.toMatchObject({ code: 'not_found' })
    }
  })

  it('is not called off any more when somebody said no since', async () => {
    const { id } = await asked()
    const other = await turnOfAnother(db, 'procura_front')
    const cancelled = house.approvals.cancel(anInstance(chain), id, bySystem('r')).catch(String)
    await other.untilWaiting()
    await other.query(`update procura.approval set status = 'denied' where id = $1`, [id])
    await other.letGo()
    expect(await cancelled).toContain('conflict')
    expect((await house.approvals.findForAgent(anInstance(chain), id)).status).toBe('denied')
  })
})
