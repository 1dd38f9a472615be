import type { QueryConfig } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Chain } from '../../src/domain/chain.ts'
import type { Terms } from '../../src/domain/consent.ts'
import { narrow } from '../../src/domain/authority.ts'
import { tighterTotals } from '../../src/domain/accounts.ts'
import { debitsOf } from '../../src/domain/debits.ts'
import type { AgentId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import {
  aCall,
  aChain,
  aDecision,
  aPerson,
  anAgent,
  ask,
  by,
  parts,
  type Parts,
  policies,
  settle,
  theTerms,
} from '../fakes/deciding.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let db: TestDatabase
let house: Parts
let replica: Parts
let alice: ProvenPerson
let agent: AgentId

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  replica = parts(db)
  await policies(db)
  alice = await aPerson(db)
  agent = await anAgent(db, alice.person.id)
})

async function under(terms: Partial<Terms>): Promise<Chain> {
  const { consent } = await house.consents.give(alice, theTerms(agent, terms), by())
  return aChain(await house.consents.standing(consent.id, agent))
}
const used = async (account: string) =>
  (await house.budgets.balances(account)).map((total) => [total.key, total.used])
const spent = async (decision: string) =>
  await db.query('select account, key, amount from procura.spent where decision = $1', [decision])
const kinds = (settled: { decision: { answer: { kind: string } } }[]) =>
  settled.map(({ decision }) => decision.answer.kind)

describe('a debit', () => {
  it('lets exactly one of 20 use the last use, over two replicas [CHN-28]', async () => {
    const chain = await under({ maxUses: 1 })
    const settled = await Promise.all(
      Array.from({ length: 20 }, (_, n) => settle(n % 2 ? house : replica, aDecision(chain))),
    )
    expect(kinds(settled).filter((kind) => kind === 'allow')).toHaveLength(1)
    const refused = settled.find(({ decision }) => decision.answer.kind === 'deny')
    expect(refused?.decision.answer).toMatchObject({
      code: 'budget_exhausted',
      stoppedBy: { hop: null, kind: 'consent', id: chain.consent.id },
      budget: { account: chain.consent.id, key: 'calls', limit: 1, used: 1, asked: 1 },
    })
    expect(await used(chain.consent.id)).toEqual([['calls', 1]])
  })

  it('lets exactly five of ten spend 20 each of 100 [CHN-29]', async () => {
    const chain = await under({ constraints: [{ key: 'args.amount', max_subtree: 100 }] })
    const call = aCall({ amount: 20 })
    const settled = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        settle(n % 2 ? house : replica, aDecision(chain, { call })),
      ),
    )
    expect(kinds(settled).filter((kind) => kind === 'allow')).toHaveLength(5)
    expect(await used(chain.consent.id)).toEqual([
      ['args.amount', 100],
      ['calls', 5],
    ])
  })

  it('is all or none, and is noted so that it can be given back', async () => {
    const chain = await under({
      constraints: [{ key: 'args.amount', max_subtree: 10 }],
      maxUses: 5,
    })
    const poor = aDecision(chain, { call: aCall({ amount: 11 }) })
    expect((await settle(house, poor)).decision.answer).toMatchObject({
      budget: { key: 'args.amount', type: 'max_subtree', limit: 10, used: 0, asked: 11 },
      field: 'constraints[args.amount,max_subtree]',
    })
    expect(await used(chain.consent.id)).toEqual([
      ['args.amount', 0],
      ['calls', 0],
    ])
    expect(await spent(poor.id)).toEqual([])
    const fine = aDecision(chain, { call: aCall({ amount: 10 }) })
    expect((await settle(house, fine)).spent).toMatchObject([
      { key: 'args.amount', amount: 10, usedAfter: 10, limit: 10 },
      { key: 'calls', amount: 1, usedAfter: 1, limit: 5 },
    ])
    expect(await spent(fine.id)).toHaveLength(2)
  })

  it('is made from nothing but an allow, and looking takes nothing', async () => {
    const chain = await under({ maxUses: 1 })
    const asking = aDecision(chain, { answer: ask(chain) })
    expect((await settle(house, asking)).spent).toEqual([])
    const looked = await house.logs.pdp.record(null, async (tx) => {
      const value = await house.budgets.short(tx, aDecision(chain))
      return { entries: [], value, answer: null }
    })
    expect(looked.value).toBeNull()
    expect(await used(chain.consent.id)).toEqual([['calls', 0]])
    await settle(house, aDecision(chain))
    const short = await house.logs.pdp.record(null, async (tx) => {
      const value = await house.budgets.short(tx, aDecision(chain))
      return { entries: [], value, answer: null }
    })
    expect(short.value).toMatchObject({ code: 'budget_exhausted', budget: { used: 1 } })
  })

  it('comes on top from a session that was given less, and renewing it resets nothing', async () => {
    const chain = await under({ maxUses: 3 })
    const narrowed = narrow(chain.effective, { constraints: [{ key: 'calls', max_subtree: 1 }] })
    if (!narrowed.ok) throw new Error('not narrower')
    const { authority } = narrowed
    const session = 'jti-narrow'
    await house.logs.front.record(null, async (tx) => {
      await house.budgets.openAccounts(tx, session, tighterTotals(authority, chain.effective))
      return { entries: [], value: null, answer: null }
    })
    const own = { id: session, bounds: tighterTotals(authority, chain.effective) }
    const accounts = [...chain.accounts, own]
    const narrow1 = { ...chain, effective: authority, session, accounts }
    const decision = () => aDecision(narrow1, { debits: debitsOf(accounts, aCall()) })
    expect(kinds([await settle(house, decision())])).toEqual(['allow'])
    const refused = await settle(house, decision())
    expect(refused.decision.answer).toMatchObject({
      budget: { account: session, used: 1, limit: 1 },
      stoppedBy: { hop: 0, kind: 'agent', id: agent },
    })
    expect(await used(chain.consent.id)).toEqual([['calls', 1]])
    expect(kinds([await settle(house, aDecision(chain))])).toEqual(['allow'])
    expect(await used(chain.consent.id)).toEqual([['calls', 2]])
  })

  it('is opened with all others of its session by one statement, however many there are', async () => {
    const bounds = Array.from({ length: 64 }, (_, n) => ({
      ...{ key: `args.a${String(n)}`, max_lifetime: n + 1 },
    }))
    let asked = 0
    await house.logs.front.record(null, async (tx) => {
      const query = ((statement: QueryConfig) => {
        asked += 1
        return tx.query(statement)
      }) as typeof tx.query
      await house.budgets.openAccounts({ ...tx, query }, 'jti-of-many', bounds)
      return { entries: [], value: null, answer: null }
    })
    expect(asked).toBe(1)
    const balances = await house.budgets.balances('jti-of-many')
    expect(balances.map(({ key, limit }) => ({ key, max_lifetime: limit }))).toEqual(
      bounds.toSorted((one, other) => (one.key < other.key ? -1 : 1)),
    )
  })

  it('takes nothing where what it rests on does not hold, whoever is asked about beside it', async () => {
    const [fine, stopped, over, ended, back] = await Promise.all([
      ...([under({}), under({}), under({}), under({}), under({})] as const),
    ])
    const chains = [fine, stopped, over, ended, back]
    await db.query(
      `insert into procura.stop (tenant, kind, id, epoch, revocation, at)
       values ('main', 'instance', $1, 1, 'rev_1', now())`,
      [stopped.hops[0].instance],
    )
    const past = { ...over.hops[0], expiresAt: new Date(Date.now() - 1000) }
    await db.query('update procura.consent set expires_at = now() where id = $1', [
      ended.consent.id,
    ])
    await db.query('update procura.consent set withdrawn_at = now() where id = $1', [
      back.consent.id,
    ])
    const settled = await Promise.all(
      [fine, stopped, { ...over, hops: [past] as const }, ended, back, fine].map((chain) =>
        settle(house, aDecision(chain)),
      ),
    )
    const told = settled.map(({ decision: { answer } }) =>
      answer.kind === 'deny' ? answer.outcome : answer.kind,
    )
    expect(told).toEqual(['allow', 'revoked', 'expired', 'expired', 'revoked', 'allow'])
    const uses = await Promise.all(chains.map(({ consent }) => used(consent.id)))
    expect(uses.flat().map(([, count]) => count)).toEqual([2, 0, 0, 0, 0])
  })

  it('takes nothing while something it goes through is frozen, nor by rules that are gone', async () => {
    const chain = await under({ maxUses: 5 })
    await db.query(
      `insert into procura.freeze (tenant, id, kind, scope, cause, since, event_id)
       values ('main', 'frz_1', 'tool', 'crm.read', 'test', now(), 'evt_1')`,
    )
    expect((await settle(house, aDecision(chain))).decision.answer).toMatchObject({
      code: 'frozen',
    })
    await db.query(`update procura.freeze set lifted_at = now(), lift_event_id = 'evt_2'`)
    await expect(settle(house, aDecision(chain, { policyEpoch: 9 }))).rejects.toMatchObject({
      code: 'decision_stale',
    })
    expect(await used(chain.consent.id)).toEqual([['calls', 0]])
    expect(kinds([await settle(house, aDecision(chain))])).toEqual(['allow'])
  })

  it('from an account that does not exist is no debit: nothing is recorded', async () => {
    const chain = await under({})
    const debits = [{ account: 'nobody', key: 'calls', type: 'max_subtree', amount: 1 } as const]
    await expect(settle(house, aDecision(chain, { debits }))).rejects.toThrow('no account')
  })
})
