import { beforeAll, describe, expect, it } from 'vitest'
import { type Chain, leafOf } from '../../src/domain/chain.ts'
import type { Answer, Settled } from '../../src/domain/decision.ts'
import type { DecisionId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import type { Decider } from '../../src/domain/ports.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { recalled, remembered, toldOf } from '../../src/domain/ruling.ts'
import { createWatchedDecider } from '../../src/watching.ts'
import {
  aChain,
  aDecision,
  aPerson,
  anAgent,
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
let other: Parts
let alice: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  other = parts(db)
  await policies(db)
  alice = await aPerson(db)
})

async function aRun(): Promise<Chain> {
  const agent = await anAgent(db, alice.person.id)
  const { consent } = await house.consents.give(alice, theTerms(agent), by())
  const chain = aChain(await house.consents.standing(consent.id, agent))
  const { instance } = leafOf(chain)
  await db.query(
    `insert into procura.instance (tenant, id, agent, jkt, first_seen)
     values ('main', $1, $2, $1, now())`,
    [instance, agent],
  )
  return chain
}
const denied = (chain: Chain): Answer => ({
  ...{ kind: 'deny', code: 'access_denied', reason: 'no_permit', rules: [] },
  stoppedBy: { hop: 0, kind: 'agent', id: chain.hops[0].agent },
  detail: 'no rule permits crm.read at hop 0',
})
const touch = (chain: Chain) =>
  settle(house, aDecision(chain, { answer: { ...denied(chain), isCanary: true } as Answer }))
const events = async (type: string) =>
  await db.query<{ entry: string }>(
    'select entry from ledger.leaf where event_type = $1 order by index',
    [type],
  )
const last = async (type: string) => {
  const entry = (await events(type)).at(-1)?.entry ?? '{}'
  return JSON.parse(entry) as Record<string, unknown>
}

describe('a canary that was touched', () => {
  it('[CB-46] stops the run for good, in one record with the event, however many ask that', async () => {
    const chain = await aRun()
    const { instance } = leafOf(chain)
    const { decision } = await touch(chain)
    const before = (await events('canary_tripped')).length
    await Promise.all([house, other, house, other].map((it) => it.revocation.trip(decision.id)))
    expect(await events('canary_tripped')).toHaveLength(before + 1)
    const target = { kind: 'instance', id: instance }
    expect(await last('canary_tripped')).toMatchObject({
      ...{ face: 'system', actor: { kind: 'system', id: 'broker' } },
      effect: { observed: 'none', source: 'none', agreement: 'not_exercised' },
      remediation: { target, cause: 'compromised' },
    })
    expect(await last('revocation')).toMatchObject({ remediation: { target } })
    expect([...house.tripped, ...other.tripped].filter((id) => id === decision.id)).toHaveLength(1)
    const after: Settled = await settle(other, aDecision(chain))
    expect(after.decision.answer).toMatchObject({ code: 'chain_invalid', outcome: 'revoked' })
  })

  it('names the decision that refused it, whose own record says nothing of it', async () => {
    const chain = await aRun()
    const { decision } = await touch(chain)
    const asked = await last('decision')
    expect(asked).toMatchObject({ decision: { id: decision.id, code: 'access_denied' } })
    expect(JSON.stringify(asked)).not.toMatch(/canary/i)
    await house.revocation.trip(decision.id)
    expect(await last('canary_tripped')).toMatchObject({ cause_event: asked['event_id'] })
  })

  it('is found by anybody, where whoever decided died before the run was stopped', async () => {
    const chain = await aRun()
    const { decision } = await touch(chain)
    await db.query(`update procura.decision set at = at - interval '3 s' where id = $1`, [
      decision.id,
    ])
    await Promise.all([other.revocation.tripMissed(), house.revocation.tripMissed()])
    expect([...house.tripped, ...other.tripped].filter((id) => id === decision.id)).toHaveLength(1)
    const recorded = (await events('canary_tripped')).length
    await house.revocation.tripMissed()
    expect(await events('canary_tripped')).toHaveLength(recorded)
  })

  it('is nobody else: an ordinary refusal stops nothing, and cannot be made to', async () => {
    const chain = await aRun()
    const { decision } = await settle(house, aDecision(chain, { answer: denied(chain) }))
    await expect(house.revocation.trip(decision.id)).rejects.toThrow('no run asked for a canary')
    const { decision: next } = await settle(house, aDecision(chain))
    expect(next.answer.kind).toBe('allow')
  })

  it('stops nobody where a gateway asked about it', async () => {
    const chain = await aRun()
    const asked = { ...chain, session: null }
    const answer = { ...denied(chain), isCanary: true } as Answer
    const { decision } = await settle(house, aDecision(asked, { answer }))
    await db.query(`update procura.decision set at = at - interval '3 s' where id = $1`, [
      decision.id,
    ])
    const recorded = (await events('canary_tripped')).length
    await house.revocation.tripMissed()
    expect(await events('canary_tripped')).toHaveLength(recorded)
  })
})

describe('whoever asked', () => {
  const nothing = () => Promise.reject(new Error('not asked'))
  const decider = (settled: Settled, isRepeat: boolean): Decider => ({
    decide: () => {
      const told = toldOf(settled)
      return Promise.resolve(isRepeat ? recalled(remembered(told)) : told)
    },
    explain: nothing,
    evaluate: nothing,
  })
  const presented = {} as Parameters<Decider['decide']>[0]
  const read: Parameters<Decider['decide']>[1] = () => ({ tool: 'crm.read', arguments: {} })

  it.each([false, true])(
    'is told an ordinary no, once it is recorded, with nothing in it that tells (repeat: %s)',
    async (isRepeat) => {
      const chain = await aRun()
      const settled = await touch(chain)
      const tripped: DecisionId[] = []
      const watched = createWatchedDecider(decider(settled, isRepeat), (id) => {
        tripped.push(id)
        return Promise.resolve()
      })
      const ruling = await watched.decide(presented, read)
      expect(ruling).toEqual({
        ...{ kind: 'deny', decision: settled.decision.id, answer: denied(chain), isRepeat },
      })
      expect(tripped).toEqual([settled.decision.id])
    },
  )

  it('gets 503 and not that no where it cannot be recorded', async () => {
    const settled = await touch(await aRun())
    const watched = createWatchedDecider(decider(settled, false), () =>
      Promise.reject(new Error('nobody answers')),
    )
    const refusal: unknown = await watched.decide(presented, read).catch((it: unknown) => it)
    expect(refusal).toBeInstanceOf(BrokerError)
    expect(refusal).toMatchObject({ code: 'unavailable' })
  })
})
