import { beforeAll, describe, expect, it } from 'vitest'
import type { Chain, Standing } from '../../src/domain/chain.ts'
import type { StopKind } from '../../src/domain/entry.ts'
import { type AgentId, type InstanceId, newId } from '../../src/domain/ids.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { Secret } from '../../src/domain/secret.ts'
import { openPools } from '../../src/pools.ts'
import type { Wanted } from '../../src/revocation/revocation.ts'
import {
  chainOf,
  delegationOf,
  insertHop,
  insertInstance,
  insertLease,
  insertRoot,
} from '../delegation/rows.ts'
import {
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
import { inBatches } from '../pg/batches.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let db: TestDatabase
let house: Parts
let kim: ProvenPerson

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  await policies(db)
  kim = await aPerson(db)
})

/**
 *     consent (desk) ─ root ─┬─ left (desk's key signs) ─┬─ deep
 *                            └─ right                    └─ deeper
 * Each hop is another agent's; a lease under each, and an approval under `deep`.
 */
async function aTree() {
  const desk = await anAgent(db, kim.person.id)
  const standing = await under(desk)
  const instance = newId('ins', new Date())
  const root = await insertRoot(db, standing, { instance })
  const hop = async (above: typeof root, run?: InstanceId) => {
    const agent = await anAgent(db, kim.person.id)
    const made = await insertHop(db, above, { agent })
    const { jkt } = made.hops.at(-1) ?? made.hops[0]
    if (run !== undefined && jkt !== null) await insertInstance(db, { agent, instance: run, jkt })
    return made
  }
  const run = newId('ins', new Date())
  const left = await hop(root, run)
  const right = await hop(root)
  const deep = await hop(left)
  const deeper = await hop(left)
  const all = { left, right, deep, deeper }
  for (const row of Object.values(all)) await insertLease(db, chainOf(row))
  const chain = chainOf(deep)
  await settle(house, aDecision(chain, { answer: ask(chain) }), 'please')
  return { ...all, desk, standing, root, instance, run }
}
type Tree = Awaited<ReturnType<typeof aTree>>

async function under(agent: AgentId): Promise<Standing> {
  const terms = theTerms(agent, { maxHops: 5 })
  const { consent } = await house.consents.give(kim, terms, by())
  return await house.consents.standing(consent.id, agent)
}

const revoke = (kind: Wanted['target']['kind'], id: string, person = kim) =>
  house.revocation.revoke(person, { target: { kind, id }, cause: 'compromised', reason: 'x' }, by())

/** What is still allowed, by name. */
async function allowed(tree: Tree): Promise<string[]> {
  const names: string[] = []
  for (const name of ['left', 'right', 'deep', 'deeper'] as const) {
    const { decision } = await settle(house, aDecision(chainOf(tree[name])))
    if (decision.answer.kind === 'allow') names.push(name)
  }
  return names
}

const answerFor = async (chain: Chain) => (await settle(house, aDecision(chain))).decision.answer

const agentOf = ({ hops }: Pick<Chain, 'hops'>) => (hops.at(-1) ?? hops[0]).agent

const NONE = { consents: 0, sessions: 0, roots: 0, delegations: 0, credentials: 0, approvals: 0 }

describe('a stop', () => {
  // prettier-ignore
  it.each<[string, (tree: Tree) => [Wanted['target']['kind'], string], object, string[]]>([
    ['of a hop', (t) => ['delegation', delegationOf(t.left)], { delegations: 3, credentials: 3, approvals: 1 }, ['right']],
    ['of a leaf', (t) => ['delegation', delegationOf(t.deeper)], { delegations: 1, credentials: 1 }, ['left', 'right', 'deep']],
    ['of a consent', (t) => ['consent', t.standing.consent.id], { consents: 1, roots: 1, delegations: 4, credentials: 4, approvals: 1 }, []],
    ['of the run with the root', (t) => ['instance', t.instance], { roots: 1, delegations: 4, credentials: 4, approvals: 1 }, []],
    ['of a run that signed hops', (t) => ['instance', t.run], { delegations: 3, credentials: 3, approvals: 1 }, ['right']],
    ['of the consenting agent', (t) => ['agent', t.desk], { consents: 1, roots: 1, delegations: 4, credentials: 4, approvals: 1 }, []],
    ['of an agent in between', (t) => ['agent', agentOf(t.left)], { delegations: 3, credentials: 3, approvals: 1 }, ['right']],
  ])('%s stops all below it and nothing beside it [REV-03]', async (_what, of, counts, left) => {
    const tree = await aTree()
    const other = await aTree()
    const [kind, id] = of(tree)
    const first = await house.revocation.reach(kim, { kind, id })
    expect(first.counts).toEqual({ ...NONE, ...counts })
    expect(await allowed(tree)).toHaveLength(4)

    const stopped = await revoke(kind, id)
    expect(stopped).toMatchObject({ isNew: true, isRepeat: false })
    expect(stopped.revocation.counts).toEqual({ ...NONE, ...counts })
    const { credentials } = { credentials: 0, ...counts }
    expect(stopped.confirmations).toEqual({ confirmed: 0, pending: credentials, notSupported: 0 })
    expect(await allowed(tree)).toEqual(left)
    expect(await allowed(other)).toHaveLength(4)
    expect((await house.revocation.reach(kim, { kind, id })).counts).toMatchObject({
      ...{ delegations: 0, consents: 0, roots: 0, approvals: 0 },
    })
  })

  it('names the hop at which something was stopped, and none for consent and sponsor', async () => {
    // prettier-ignore
    const cases: [(tree: Tree) => [Wanted['target']['kind'], string], (tree: Tree) => object][] = [
      [(t) => ['delegation', delegationOf(t.left)], (t) => ({ hop: 1, kind: 'agent', id: agentOf(t.left) })],
      [(t) => ['delegation', delegationOf(t.deep)], (t) => ({ hop: 2, kind: 'agent', id: agentOf(t.deep) })],
      [(t) => ['instance', t.run], (t) => ({ hop: 1, kind: 'agent', id: agentOf(t.left) })],
      [(t) => ['instance', t.instance], (t) => ({ hop: 0, kind: 'agent', id: t.desk })],
      [(t) => ['agent', t.desk], (t) => ({ hop: 0, kind: 'agent', id: t.desk })],
      [(t) => ['consent', t.standing.consent.id], (t) => ({ hop: null, kind: 'consent', id: t.standing.consent.id })],
    ]
    for (const [of, stoppedBy] of cases) {
      const tree = await aTree()
      await revoke(...of(tree))
      expect(await answerFor(chainOf(tree.deep))).toMatchObject({
        ...{ kind: 'deny', code: 'chain_invalid', outcome: 'revoked' },
        stoppedBy: stoppedBy(tree),
      })
    }
  })

  it('of a sponsor stops every consent and agent of theirs, wherever the agents act', async () => {
    const lee = await aPerson(db)
    const theirs = await anAgent(db, lee.person.id)
    const { consent } = await house.consents.give(lee, theTerms(theirs), by())
    const tree = await aTree()
    const lent = await insertHop(db, tree.root, { agent: theirs })
    await insertLease(db, chainOf(lent))
    const own = chainOf(await insertRoot(db, await house.consents.standing(consent.id, theirs)))
    expect((await answerFor(own)).kind).toBe('allow')

    const { revocation } = await revoke('sponsor', lee.person.id, lee)
    expect(revocation.counts).toEqual({
      ...{ ...NONE, consents: 1, roots: 1, delegations: 1, credentials: 1 },
    })
    expect(await answerFor(own)).toMatchObject({ stoppedBy: { hop: null, kind: 'sponsor' } })
    expect(await answerFor(chainOf(lent))).toMatchObject({ stoppedBy: { hop: 1, id: theirs } })
    expect(await allowed(tree)).toHaveLength(4)
    const stops = await db.query<{ kind: string }>(
      'select kind from procura.stop where revocation = $1 order by kind',
      [revocation.id],
    )
    expect(stops.map(({ kind }) => kind)).toEqual(['agent', 'sponsor'])
  })

  it('of a run is of its key as well: a chain through it is over, shown or not', async () => {
    const tree = await aTree()
    const before = await answerFor(chainOf(tree.deep))
    expect(before.kind).toBe('allow')
    await revoke('instance', tree.run)
    const keys = await db.query<{ id: string }>(`select id from procura.stop where kind = 'key'`)
    expect(keys.map(({ id }) => id)).toContain(tree.left.hops[1]?.jkt)
  })
})

describe('a session, and a root', () => {
  it('die alone, and with all below: each as its token', async () => {
    const tree = await aTree()
    const act = by().act
    const chain = chainOf(tree.deep, 'jti-of-one')
    const hash = 'hash-of-the-session'
    const sponsor = kim.person.id
    const session = { kind: 'session', id: hash, stopId: 'jti-of-one', sponsor } as const
    await house.revocation.revokeToken(session, act)
    await house.revocation.revokeToken(session, act)
    expect(await answerFor(chain)).toMatchObject({ outcome: 'revoked', stoppedBy: { hop: 2 } })
    expect(await allowed(tree)).toHaveLength(4)

    const [{ tokenHash: root }] = tree.root.hops
    if (root === null) throw new Error('a root has a token')
    await house.revocation.revokeToken({ kind: 'root', id: root, stopId: root, sponsor }, act)
    expect(await allowed(tree)).toEqual([])
    expect(await answerFor(chainOf(tree.left))).toMatchObject({ stoppedBy: { hop: 0 } })
    const rows = await db.query<{ target_kind: string; counts: Record<string, number> }>(
      `select target_kind, counts from procura.revocation where target_id = any ($1) order by at`,
      [[hash, root]],
    )
    expect(rows).toEqual([
      { target_kind: 'session', counts: NONE },
      {
        target_kind: 'root',
        counts: { ...NONE, roots: 1, delegations: 4, credentials: 4, approvals: 1 },
      },
    ])
  })
})

describe('whose it is', () => {
  it('decides: another’s thing, and an unknown one, look the same; an operator stops everything [REV-05]', async () => {
    const mallory = await aPerson(db)
    const operator = await aPerson(db, { roles: ['operator'] })
    const kinds: [Exclude<StopKind, 'root' | 'session'>, (tree: Tree) => string, string][] = [
      ['delegation', (t) => delegationOf(t.left), newId('dlg', new Date())],
      ['consent', (t) => t.standing.consent.id, newId('con', new Date())],
      ['instance', (t) => t.instance, newId('ins', new Date())],
      ['agent', (t) => t.desk, newId('agt', new Date())],
      ['sponsor', () => kim.person.id, newId('spn', new Date())],
    ]
    const tree = await aTree()
    for (const [kind, idIn, unknown] of kinds) {
      for (const [person, id] of [
        [mallory, idIn(tree)],
        [mallory, unknown],
        [operator, unknown],
      ] as const) {
        await expect(revoke(kind, id, person), kind).rejects.toMatchObject({ code: 'not_found' })
        const reach = house.revocation.reach(person, { kind, id })
        await expect(reach, kind).rejects.toMatchObject({ code: 'not_found' })
      }
    }
    expect(await allowed(tree)).toHaveLength(4)
    expect((await revoke('agent', tree.desk, operator)).isNew).toBe(true)
    const again = await revoke('agent', tree.desk)
    expect(again).toMatchObject({ isNew: false, isRepeat: false })
  })

  it('a key gives the first answer again, and its body is part of it', async () => {
    const tree = await aTree()
    const target = { kind: 'delegation', id: delegationOf(tree.left) } as const
    const wanted = { target, cause: 'compromised', reason: null }
    const key = { key: 'one-key-of-kim' }
    const first = await house.revocation.revoke(kim, wanted, by(key))
    const again = await house.revocation.revoke(kim, wanted, by(key))
    expect(again).toEqual({ ...first, isRepeat: true })
    const other = house.revocation.revoke(kim, wanted, by({ ...key, fingerprint: 'g' }))
    await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  })
})

/** Each like `left`, with a key and a session of its own; and a tenth as many stops of other things. */
async function pileUp({ left, standing: { consent } }: Tree, copies: number): Promise<void> {
  await inBatches(copies, async (...numbers) => {
    await db.query(
      `insert into procura.delegation select d.tenant, 'dlg_' || n, 'hash-' || n, d.depth, d.root, d.parent,
         d.consent, d.sponsor, d.agent, 'jkt-' || n, d.purpose, d.effective, d.hops, d.accounts,
         array['dlg_' || n], d.agents, array[d.keys[1], 'jkt-' || n], d.registered_at,
         d.expires_at, d.event_id
       from procura.delegation d, generate_series($2::int, $3) n where d.id = $1`,
      [delegationOf(left), ...numbers],
    )
    await db.query(
      `insert into procura.session (tenant, jti, consent, agent, instance, delegation, expires_at)
       select 'main', 'jti-' || n, $1, 'agt_x', 'ins_x', 'dlg_' || n, now() + interval '9 min'
       from generate_series($2::int, $3) n`,
      [consent.id, ...numbers],
    )
    await db.query(
      `insert into procura.stop (tenant, kind, id, epoch, revocation, at)
       select 'main', 'session', 'x-' || n, 0, 'rev_x', now() from generate_series($1::int, $2, 10) n`,
      numbers,
    )
  })
}

describe('a stop of what very much rests on', () => {
  it('takes no list of it: it is in force within the time that a statement has, whatever was piled up', async () => {
    const tree = await aTree()
    const { consent } = tree.standing
    await pileUp(tree, 20_000)
    // As a broker has it: with its limits, and plans that go by indexes.
    const pools = openPools(new Secret(db.url))
    const serving = parts({
      ...db,
      pool: (role) => (role === 'procura_pdp' ? pools.pdp : pools.front),
    })
    const target = { kind: 'consent', id: consent.id } as const
    const wanted = { target, cause: 'compromised', reason: null }
    const { revocation, isNew } = await serving.revocation.revoke(kim, wanted, by())
    await pools.end()
    expect(isNew).toBe(true)
    expect(revocation.counts).toMatchObject({ consents: 1, delegations: 5000 })
    expect(await allowed(tree)).toEqual([])
  }, 60_000)
})
