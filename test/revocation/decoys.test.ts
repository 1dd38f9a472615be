/** A decoy that was shown to somebody, from the moment that is noted. */
import { beforeAll, describe, expect, it } from 'vitest'
import { noteShown, plant } from '../../src/delivery/decoys.ts'
import { type AgentId, type CredentialId, newId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { Secret } from '../../src/domain/secret.ts'
import {
  aChain,
  aDecision,
  anAgent,
  aPerson,
  by,
  parts,
  type Parts,
  policies,
  settle,
  theTerms,
} from '../fakes/deciding.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { eventually } from '../scenario/house.ts'

let db: TestDatabase
let house: Parts
let other: Parts
let alice: ProvenPerson
let lee: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  other = parts(db)
  await policies(db)
  alice = await aPerson(db)
  lee = await aPerson(db, { roles: ['operator'] })
})

async function planted(holder: string): Promise<CredentialId> {
  const id = newId('crd', new Date())
  const decoy = { id, token: new Secret(id), expiresAt: new Date(Date.now() + 90 * 86_400_000) }
  const kind = holder.startsWith('agt') ? 'agent' : 'sponsor'
  const place = { kind, holder, label: 'in its home' } as const
  await plant({ tenant: 'main', pool: db.pool('procura_front') }, decoy, place)
  return id
}
/** As a process does it, which may then die. */
const shown = (id: CredentialId) =>
  noteShown({ tenant: 'main', pool: db.pool('procura_cdp', 1) }, id)
const trippedBy = (id: string) =>
  [...house.tripped, ...other.tripped].filter((tripped) => tripped === id)

async function entries(subject: string) {
  const rows = await db.query<{ entry: string }>(
    `select entry from ledger.leaf where event_type in ('canary_tripped', 'freeze')
       and strpos(entry, $1) > 0 order by index`,
    [subject],
  )
  return rows.map(({ entry }) => JSON.parse(entry) as Record<string, unknown>)
}
const typesOf = async (subject: string) =>
  (await entries(subject)).map(({ event_type: type }) => type)
/** Each has found it before any has done anything about it. */
async function allAtOnce(id: CredentialId): Promise<void> {
  const holding = await db.pool('procura_front', 1).connect()
  await holding.query('begin')
  await holding.query('update procura.canary set tripped_event = null where id = $1', [id])
  const trying = Promise.all([house, other, house, other].map((it) => it.revocation.tripSeen()))
  await eventually('two that wait', async () => {
    const waiting = await db.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    return waiting.length === 2
  })
  await holding.query('rollback')
  holding.release()
  await trying
}
const rowOf = async (id: string) => {
  const [row] = await db.query<{ tripped_event: string | null }>(
    'select tripped_event from procura.canary where id = $1',
    [id],
  )
  return row
}

async function answerFor(agent: AgentId) {
  const { consent } = await house.consents.give(alice, theTerms(agent), by())
  const chain = aChain(await house.consents.standing(consent.id, agent))
  const { decision } = await settle(other, aDecision(chain))
  return decision.answer
}

describe('[CB-46] a decoy that was shown', () => {
  it('freezes the agent that held it, in one record with the event, on whichever replica', async () => {
    const agent = await anAgent(db, alice.person.id)
    expect(await answerFor(agent)).toMatchObject({ kind: 'allow' })
    const id = await planted(agent)
    await shown(id)
    await allAtOnce(id)

    const [tripped, frozen, ...more] = await entries(agent)
    expect(more).toEqual([])
    const target = { kind: 'agent', id: agent }
    expect(tripped).toMatchObject({
      ...{ event_type: 'canary_tripped', face: 'system', credential: { id } },
      effect: { observed: 'none', source: 'none', agreement: 'not_exercised' },
      remediation: { target, cause: 'compromised', outcome: 'frozen' },
    })
    expect(frozen).toMatchObject({ event_type: 'freeze', remediation: { target } })
    expect(Number(frozen?.['seq'])).toBe(Number(tripped?.['seq']) + 1)
    expect(frozen?.['recorded_at']).toBe(tripped?.['recorded_at'])
    expect(await rowOf(id)).toEqual({ tripped_event: tripped?.['event_id'] })
    expect(trippedBy(id)).toHaveLength(1)
    expect(await answerFor(agent)).toMatchObject({ kind: 'deny', code: 'frozen' })
    const told = await house.revocation.frozen(alice)
    expect(told.map(({ freeze }) => freeze.scope)).toContainEqual(target)
  })

  it('freezes every agent of the sponsor who held it', async () => {
    const sponsor = await aPerson(db)
    const id = await planted(sponsor.person.id)
    await shown(id)
    await house.revocation.tripSeen()
    const held = await house.revocation.frozen(sponsor)
    expect(held.map(({ freeze }) => freeze)).toMatchObject([
      { scope: { kind: 'sponsor', id: sponsor.person.id }, cause: 'compromised' },
    ])
  })

  it('says so of whoever was frozen before, who stays frozen as they were', async () => {
    const agent = await anAgent(db, alice.person.id)
    const scope = { kind: 'agent', id: agent } as const
    const wanted = { scope, cause: 'operator_action', reason: 'looking into it' }
    const { freeze } = await house.revocation.freeze(lee, wanted, by())
    const id = await planted(agent)
    await shown(id)
    await house.revocation.tripSeen()
    expect(await typesOf(agent)).toEqual(['freeze', 'canary_tripped'])
    expect((await entries(id)).at(-1)).toMatchObject({
      remediation: { id: freeze.id, cause: 'operator_action' },
    })
  })

  it('does nothing more: shown again, or looked at again, and what was lifted stays so', async () => {
    const agent = await anAgent(db, alice.person.id)
    const id = await planted(agent)
    await shown(id)
    await house.revocation.tripSeen()
    await shown(id)
    await other.revocation.tripSeen()
    expect(await typesOf(agent)).toEqual(['canary_tripped', 'freeze'])
    const lifting = { scope: { kind: 'agent', id: agent }, cause: 'error', reason: 'ours' } as const
    await house.revocation.lift(lee, lifting, by())
    await shown(id)
    await other.revocation.tripSeen()
    expect(await typesOf(agent)).toEqual(['canary_tripped', 'freeze', 'freeze'])
    expect(await answerFor(agent)).toMatchObject({ kind: 'allow' })
  })

  it('is found by anybody where whoever was shown it died at once', async () => {
    const agent = await anAgent(db, alice.person.id)
    const id = await planted(agent)
    await shown(id)
    await db.query(`update procura.canary set seen_at = seen_at - interval '1 h' where id = $1`, [
      id,
    ])
    await parts(db).revocation.tripSeen()
    expect(await typesOf(agent)).toEqual(['canary_tripped', 'freeze'])
  })

  it('is nobody else: one that was not shown freezes nobody', async () => {
    const agent = await anAgent(db, alice.person.id)
    await planted(agent)
    await house.revocation.tripSeen()
    expect(await typesOf(agent)).toEqual([])
  })
})
