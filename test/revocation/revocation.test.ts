import { beforeAll, describe, expect, it } from 'vitest'
import type { Chain } from '../../src/domain/chain.ts'
import type { AgentId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import {
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
let alice: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  await policies(db)
  alice = await aPerson(db)
})

async function under(agent: AgentId): Promise<Chain> {
  const { consent } = await house.consents.give(alice, theTerms(agent), by())
  return aChain(await house.consents.standing(consent.id, agent))
}
const epoch = async () => {
  const rows = await db.query<{ value: number }>(
    `select value from procura.epoch where kind = 'revocation'`,
  )
  return rows[0]?.value ?? 0
}
const types = async () =>
  await db.query<{ type: string }>('select event_type as type from ledger.leaf order by index')

/** A lease under this chain, as the delivering side would have left it. */
async function aLease({ consent, hops }: Chain, state: string, ended: string | null) {
  const name = `cb_${'abcdefghijklmnopqrstuvwxyz'.replace('a', state.charAt(0))}`
  await db.query(
    `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
       sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at, ended_at)
     values ('main', $1, $1, $2, 'jwt', 'crm', $3, $4, $5, $6, $7, 'jkt', '{}', 0, now(),
       now() + interval '1 hour', $8)`,
    [
      `crd_${name}`,
      state,
      name,
      consent.sponsor,
      hops[0].agent,
      hops[0].instance,
      consent.id,
      ended,
    ],
  )
}

describe('withdrawing a consent', () => {
  it('is obeyed by every decision that is recorded after it', async () => {
    const chain = await under(await anAgent(db, alice.person.id))
    const before = await settle(house, aDecision(chain))
    expect(before.decision.answer.kind).toBe('allow')
    const made = aDecision(chain)
    await house.revocation.withdraw(alice, chain.consent.id, by())
    const after = await settle(house, made)
    expect(after.decision.answer).toMatchObject({
      ...{ kind: 'deny', code: 'chain_invalid', outcome: 'revoked' },
      stoppedBy: { hop: null, kind: 'consent', id: chain.consent.id },
    })
    expect(after.revocationEpoch).toBe(before.revocationEpoch + 1)
    expect(after.spent).toEqual([])
  })

  it('is final, and the same again', async () => {
    const chain = await under(await anAgent(db, alice.person.id))
    await aLease(chain, 'active', null)
    await settle(house, aDecision(chain, { answer: ask(chain) }), 'please')
    const first = await house.revocation.withdraw(alice, chain.consent.id, by())
    expect(first).toMatchObject({
      revocation: {
        target: { kind: 'consent', id: chain.consent.id },
        cause: 'withdrawn',
        counts: {
          consents: 1,
          sessions: 0,
          roots: 0,
          delegations: 0,
          credentials: 1,
          approvals: 1,
        },
      },
      confirmations: { confirmed: 0, pending: 1, notSupported: 0 },
    })
    const raised = await epoch()
    const recorded = await types()
    expect(recorded.slice(-2)).toEqual([{ type: 'revocation' }, { type: 'approval_decided' }])
    expect(house.told.at(-1)).toBe(first.revocation.id)
    const told = house.told.length
    const again = await Promise.all(
      Array.from({ length: 5 }, () => house.revocation.withdraw(alice, chain.consent.id, by())),
    )
    expect(new Set(again.map(({ revocation }) => revocation.id))).toEqual(
      new Set([first.revocation.id]),
    )
    expect([await epoch(), (await types()).length, house.told.length]).toEqual([
      ...[raised, recorded.length, told],
    ])
    await db.query(
      `update procura.lease set state = 'revoked', ended_at = now(), confirmed_dead_at = now()
       where consent = $1`,
      [chain.consent.id],
    )
    const found = await house.revocation.find(alice, first.revocation.id)
    expect(found.confirmations).toEqual({ confirmed: 1, pending: 0, notSupported: 0 })
  })

  it('is for its sponsor and for operators; for others there is no such thing', async () => {
    const chain = await under(await anAgent(db, alice.person.id))
    const mallory = await aPerson(db)
    const auditor = await aPerson(db, { roles: ['auditor'] })
    const operator = await aPerson(db, { roles: ['operator'] })
    for (const person of [mallory, auditor]) {
      const withdrawn = house.revocation.withdraw(person, chain.consent.id, by())
      await expect(withdrawn).rejects.toMatchObject({ code: 'not_found' })
    }
    const { revocation } = await house.revocation.withdraw(operator, chain.consent.id, by())
    expect(revocation.cause).toBe('operator_action')
    const found = house.revocation.find(mallory, revocation.id)
    await expect(found).rejects.toMatchObject({ code: 'not_found' })
    expect((await house.revocation.find(auditor, revocation.id)).revocation).toEqual(revocation)
  })
})

describe('retiring an agent', () => {
  it('stops the agent and all its consents, and frees its workload', async () => {
    const agent = await anAgent(db, alice.person.id)
    const [one, other] = [await under(agent), await under(agent)]
    const { revocation } = await house.revocation.retire(alice, agent, by())
    expect(revocation).toMatchObject({
      target: { kind: 'agent', id: agent },
      counts: { consents: 2, approvals: 0, credentials: 0 },
    })
    expect((await types()).slice(-2)).toEqual([{ type: 'revocation' }, { type: 'agent_retired' }])
    for (const chain of [one, other]) {
      const { decision } = await settle(house, aDecision(chain))
      expect(decision.answer).toMatchObject({ code: 'chain_invalid', outcome: 'revoked' })
      const { consent } = await house.consents.find(alice, chain.consent.id)
      expect(consent.status).toBe('withdrawn')
    }
    const again = await house.revocation.retire(alice, agent, by())
    expect(again.revocation.id).toBe(revocation.id)
    const mallory = await aPerson(db)
    const theirs = house.revocation.retire(mallory, agent, by())
    await expect(theirs).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('what is in force', () => {
  it('names the hop of a stopped run or agent, and null for consent and sponsor', async () => {
    const agent = await anAgent(db, alice.person.id)
    const chain = await under(agent)
    const stop = async (kind: string, id: string | null) => {
      await db.query(
        `insert into procura.stop (tenant, kind, id, epoch, revocation, at)
         values ('main', $1, $2, 1, 'rev_x', now())`,
        [kind, id],
      )
      const { decision } = await settle(house, aDecision(chain))
      return decision.answer
    }
    const [{ instance }] = chain.hops
    expect(await stop('credential', 'crd_other')).toMatchObject({ kind: 'allow' })
    expect(await stop('instance', instance)).toMatchObject({
      stoppedBy: { hop: 0, kind: 'agent', id: agent },
      outcome: 'revoked',
    })
    expect(await stop('consent', chain.consent.id)).toMatchObject({ stoppedBy: { hop: null } })
    const sponsor = { hop: null, kind: 'sponsor', id: alice.person.id }
    expect(await stop('sponsor', alice.person.id)).toMatchObject({ stoppedBy: sponsor })
    await db.query(`delete from procura.stop where kind in ('sponsor', 'instance')`)
  })

  it('ends with the consent, and with the session', async () => {
    const chain = await under(await anAgent(db, alice.person.id))
    const [hop] = chain.hops
    const over = { ...chain, hops: [{ ...hop, expiresAt: new Date(Date.now() - 1) }] as const }
    expect((await settle(house, aDecision(over))).decision.answer).toMatchObject({
      ...{ outcome: 'expired', stoppedBy: { hop: 0 } },
    })
    await db.query(`update procura.consent set expires_at = now() - interval '1 s' where id = $1`, [
      chain.consent.id,
    ])
    expect((await settle(house, aDecision(chain))).decision.answer).toMatchObject({
      ...{ outcome: 'expired', stoppedBy: { hop: null, kind: 'consent' } },
    })
  })

  it('is not what other policies decided, and nothing before there are any', async () => {
    const chain = await under(await anAgent(db, alice.person.id))
    const before = (await types()).length
    const stale = settle(house, aDecision(chain, { policyEpoch: 2 }))
    await expect(stale).rejects.toMatchObject({
      code: 'decision_stale',
      shown: { reason: 'policy_epoch' },
    })
    await db.query(`delete from procura.epoch where kind = 'policy'`)
    const none = settle(house, aDecision(chain))
    await expect(none).rejects.toMatchObject({ code: 'decision_stale' })
    await policies(db)
    expect((await types()).length).toBe(before)
  })
})
