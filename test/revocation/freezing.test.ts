import { beforeAll, describe, expect, it } from 'vitest'
import type { Chain } from '../../src/domain/chain.ts'
import type { FreezeScope } from '../../src/domain/entry.ts'
import { type AgentId, newId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { chainOf, insertHop, insertRoot } from '../delegation/rows.ts'
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
let kim: ProvenPerson
let olga: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  await policies(db)
  kim = await aPerson(db)
  olga = await aPerson(db, { roles: ['operator'] })
})

const wanted = (scope: FreezeScope) => ({ scope, cause: 'operator_action', reason: 'looking' })
const EVERYTHING = { kind: 'everything', id: null } as const
const freeze = (scope: FreezeScope, person = olga) =>
  house.revocation.freeze(person, wanted(scope), by())
const lift = (scope: FreezeScope, person = olga) =>
  house.revocation.lift(person, wanted(scope), by())

async function standingOf(agent: AgentId) {
  const { consent } = await house.consents.give(kim, theTerms(agent), by())
  return await house.consents.standing(consent.id, agent)
}

const answerFor = async (chain: Chain, tool = 'crm.read') =>
  (await settle(house, aDecision(chain, { call: aCall({}, { name: tool }) }))).decision.answer

const last = async () => {
  const rows = await db.query<{ entry: string }>(
    `select entry from ledger.leaf where event_type = 'freeze' order by index desc limit 1`,
  )
  return JSON.parse(rows[0]?.entry ?? '{}') as Record<string, unknown>
}

describe('a freeze', () => {
  it('refuses all that is in its scope, nothing beside it, and no longer once it is lifted', async () => {
    const desk = await anAgent(db, kim.person.id)
    const payer = await anAgent(db, kim.person.id)
    const lee = await aPerson(db)
    const lent = await anAgent(db, lee.person.id)
    const standing = await standingOf(desk)
    const root = await insertRoot(db, standing)
    const own = aChain(standing)
    const below = chainOf(await insertHop(db, root, { agent: payer }))
    const beyond = chainOf(await insertHop(db, root, { agent: lent }))
    const other = aChain(await standingOf(payer))
    const all = { own, below, beyond, other }
    const refused = async () => {
      const names: string[] = []
      for (const [name, chain] of Object.entries(all)) {
        const answer = await answerFor(chain)
        if (answer.kind === 'allow') continue
        expect(answer).toMatchObject({ kind: 'deny', code: 'frozen' })
        names.push(name)
      }
      return names
    }
    // prettier-ignore
    const cases: [FreezeScope, string[]][] = [
      [EVERYTHING, ['own', 'below', 'beyond', 'other']],
      [{ kind: 'tool', id: 'crm.read' }, ['own', 'below', 'beyond', 'other']],
      [{ kind: 'agent', id: desk }, ['own', 'below', 'beyond']],
      [{ kind: 'agent', id: payer }, ['below', 'other']],
      [{ kind: 'sponsor', id: kim.person.id }, ['own', 'below', 'beyond', 'other']],
      [{ kind: 'sponsor', id: lee.person.id }, ['beyond']],
    ]
    for (const [scope, names] of cases) {
      expect(await refused(), JSON.stringify(scope)).toEqual([])
      const { freeze: made, isNew } = await freeze(scope)
      expect([isNew, made.liftedAt]).toEqual([true, null])
      expect(await refused(), JSON.stringify(scope)).toEqual(names)
      const lifted = await lift(scope)
      expect(lifted.freeze).toMatchObject({ id: made.id, scope })
      expect(lifted.freeze.liftedAt).toBeInstanceOf(Date)
    }
    expect(await refused()).toEqual([])
  })

  it('names who is held back: the sponsor, the hop of an agent, or who acts', async () => {
    const [desk, payer] = [await anAgent(db, kim.person.id), await anAgent(db, kim.person.id)]
    const standing = await standingOf(desk)
    const chain = chainOf(await insertHop(db, await insertRoot(db, standing), { agent: payer }))
    // prettier-ignore
    const cases: [FreezeScope, object][] = [
      [{ kind: 'sponsor', id: kim.person.id }, { hop: null, kind: 'sponsor', id: kim.person.id }],
      [{ kind: 'agent', id: desk }, { hop: 0, kind: 'agent', id: desk }],
      [{ kind: 'agent', id: payer }, { hop: 1, kind: 'agent', id: payer }],
      [EVERYTHING, { hop: 1, kind: 'agent', id: payer }],
    ]
    for (const [scope, stoppedBy] of cases) {
      await freeze(scope)
      expect(await answerFor(chain)).toMatchObject({ code: 'frozen', stoppedBy })
      await lift(scope)
    }
  })

  it('is not clicked through: what a person would be asked is refused as well', async () => {
    const chain = aChain(await standingOf(await anAgent(db, kim.person.id)))
    await freeze({ kind: 'tool', id: 'crm.read' })
    const settled = await settle(house, aDecision(chain, { answer: ask(chain) }), 'please')
    expect(settled.decision.answer).toMatchObject({ kind: 'deny', code: 'frozen' })
    expect(settled.asked).toBeNull()
    await lift({ kind: 'tool', id: 'crm.read' })
  })

  it('brings nothing back that was stopped: a stop is told first, and stays [REV-14]', async () => {
    const agent = await anAgent(db, kim.person.id)
    const chain = aChain(await standingOf(agent))
    await freeze({ kind: 'agent', id: agent })
    await house.revocation.withdraw(kim, chain.consent.id, by())
    expect(await answerFor(chain)).toMatchObject({ code: 'chain_invalid', outcome: 'revoked' })
    await lift({ kind: 'agent', id: agent })
    expect(await answerFor(chain)).toMatchObject({ code: 'chain_invalid', outcome: 'revoked' })
  })

  it('is recorded with its scope, frozen and lifted, and raises the epoch each time', async () => {
    const epoch = async () =>
      (
        await db.query<{ value: number }>(
          `select value from procura.epoch where kind = 'revocation'`,
        )
      )[0]?.value ?? 0
    const before = await epoch()
    const { freeze: made, eventId } = await freeze(EVERYTHING)
    const entry = await last()
    expect(entry).toMatchObject({
      event_id: eventId,
      remediation: { id: made.id, target: { kind: 'everything' }, outcome: 'frozen' },
      sealed: { fields: ['person', 'reason'] },
    })
    expect(JSON.stringify(entry)).not.toContain('looking')
    const lifted = await lift(EVERYTHING)
    expect(await last()).toMatchObject({
      event_id: lifted.eventId,
      remediation: { outcome: 'lifted' },
    })
    expect(await epoch()).toBe(before + 2)
  })
})

describe('who freezes', () => {
  it('is a sponsor for their own, an operator for the rest, and only an operator lifts', async () => {
    const agent = await anAgent(db, kim.person.id)
    const mallory = await aPerson(db)
    const own = { kind: 'agent', id: agent } as const
    const self = { kind: 'sponsor', id: kim.person.id } as const
    const no = (code: string) => ({ code })
    await expect(freeze(own, mallory)).rejects.toMatchObject(no('not_found'))
    await expect(freeze(self, mallory)).rejects.toMatchObject(no('not_found'))
    const unknown = { kind: 'agent', id: newId('agt', new Date()) } as const
    await expect(freeze(unknown)).rejects.toMatchObject(no('not_found'))
    const tool = { kind: 'tool', id: 'crm.read' } as const
    for (const scope of [EVERYTHING, tool]) {
      await expect(freeze(scope, kim)).rejects.toMatchObject(no('role_required'))
    }
    await expect(freeze({ kind: 'tool', id: 'crm.*' })).rejects.toMatchObject(no('unknown_tool'))

    const first = await freeze(own, kim)
    expect(await freeze(own, kim)).toEqual({ ...first, isNew: false })
    await freeze(self, kim)
    await freeze(tool)
    const seen = async (person: ProvenPerson) =>
      (await house.revocation.frozen(person)).map((it) => it.freeze.scope.kind)
    expect(await seen(kim)).toEqual(['tool', 'sponsor', 'agent'])
    expect(await seen(mallory)).toEqual(['tool'])
    expect(await seen(olga)).toEqual(['tool', 'sponsor', 'agent'])

    await expect(lift(own, kim)).rejects.toMatchObject(no('role_required'))
    for (const scope of [own, self, tool]) await lift(scope)
    await expect(lift(own)).rejects.toMatchObject(no('conflict'))
    expect(await seen(olga)).toEqual([])
  })

  it('is told the same again under the same key, lifted meanwhile or not', async () => {
    const agent = await anAgent(db, kim.person.id)
    const scope = { kind: 'agent', id: agent } as const
    const key = by({ key: `key-${agent}` })
    const first = await house.revocation.freeze(kim, wanted(scope), key)
    await lift(scope)
    expect(await house.revocation.freeze(kim, wanted(scope), key)).toEqual({
      ...first,
      isRepeat: true,
    })
    expect((await house.revocation.frozen(olga)).length).toBe(0)
  })

  it('of many at once one does, and all are told of that one', async () => {
    const agent = await anAgent(db, kim.person.id)
    const other = parts(db)
    const frozen = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        (n % 2 ? house : other).revocation.freeze(olga, wanted({ kind: 'agent', id: agent }), by()),
      ),
    )
    expect(frozen.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(new Set(frozen.map((it) => it.freeze.id)).size).toBe(1)
    await lift({ kind: 'agent', id: agent })
  })
})
