import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AgentId, newId } from '../../src/domain/ids.ts'
import {
  delegationOf,
  insertHop,
  insertInstance,
  insertRoot,
  type Row,
} from '../delegation/rows.ts'
import { theTerms } from '../fakes/deciding.ts'
import { aConsent } from '../fakes/settled.ts'
import { ARGS } from './bench.ts'
import {
  aWorld,
  issue,
  leaves,
  now,
  payments,
  spend,
  stateOf,
  stop,
  used,
  WHO,
  type World,
} from './world.ts'

let world: World
let leaf: Row
let middle: AgentId
let acting: AgentId

/** consent (WHO.agent) ─ root ─ middle ─ acting, whose key collects. */
beforeAll(async () => {
  world = await aWorld()
  const { db } = world
  await db.query(
    `insert into procura.person (tenant, id, issuer, subject, roles, groups)
     values ('main', $1, 'https://id.example', $1, '{sponsor}', '{}')`,
    [WHO.sponsor],
  )
  ;[middle, acting] = [newId('agt', now()), newId('agt', now())]
  for (const agent of [WHO.agent, middle, acting]) {
    await db.query(
      `insert into procura.agent (tenant, id, sponsor, name, workload, workload_key, status, created_at,
         event_id) values ('main', $1, $2, 'a', '{}', $1, 'active', now(), 'evt_x')`,
      [agent, WHO.sponsor],
    )
  }
  const terms = theTerms(WHO.agent)
  await db.query(
    `insert into procura.consent (tenant, id, sponsor, agent, terms, terms_hash, consent_jwt, max_uses,
       created_at, expires_at, event_id)
     values ('main', $1, $2, $3, $4, 'h', 'j', 40, now(), now() + interval '1 day', 'evt_x')`,
    [WHO.consent, WHO.sponsor, WHO.agent, terms],
  )
  const consent = aConsent({ id: WHO.consent, sponsor: WHO.sponsor, terms })
  const above = await insertHop(db, await insertRoot(db, { consent }), { agent: middle })
  const run = { agent: acting, instance: WHO.instance, jkt: world.collector.jkt }
  await insertInstance(db, run)
  leaf = await insertHop(db, above, run)
})

let epoch = 0
beforeEach(async () => {
  await world.db.query('delete from procura.stop')
  await world.db.query('delete from procura.freeze')
  epoch += 1
})

/** A decision for the leaf. */
const below = () => ({
  client_id: acting,
  chain: { depth: 2, leaf: leaf.hops[2]?.tokenHash ?? '', delegation_id: delegationOf(leaf) },
})

const freeze = (kind: string, scope: string) =>
  world.db.query(
    `insert into procura.freeze (tenant, id, kind, scope, cause, since, event_id)
     values ('main', $1, $2, $3, 'operator_action', now(), 'evt_x')`,
    [newId('rev', now()), kind, scope],
  )

const hopOf = (depth: number) => leaf.hops[depth] ?? leaf.hops[0]

/** What a stop is called, and the hop that a refusal names for it. */
// prettier-ignore
const STOPS: [string, () => [string, string], number | null][] = [
  ['the sponsor', () => ['sponsor', WHO.sponsor], null],
  ['the consent', () => ['consent', WHO.consent], null],
  ['the root', () => ['root', String(hopOf(0).tokenHash)], 0],
  ['the consenting agent', () => ['agent', WHO.agent], 0],
  ['the key of the root', () => ['key', String(hopOf(0).jkt)], 0],
  ['the hop in between', () => ['delegation', String(hopOf(1).delegation)], 1],
  ['the agent in between', () => ['agent', middle], 1],
  ['the key in between', () => ['key', String(hopOf(1).jkt)], 1],
  ['its own hop', () => ['delegation', delegationOf(leaf)], 2],
  ['its own agent', () => ['agent', acting], 2],
  ['its own run', () => ['instance', WHO.instance], 2],
]
// prettier-ignore
const FREEZES: [string, () => [string, string], number | null][] = [
  ['everything', () => ['everything', ''], 2],
  ['its tool', () => ['tool', 'payments.refund'], 2],
  ['its sponsor', () => ['sponsor', WHO.sponsor], null],
  ['its agent', () => ['agent', acting], 2],
  ['the agent in between', () => ['agent', middle], 1],
  ['the consenting agent', () => ['agent', WHO.agent], 0],
]

describe('a decision, after which something on its path was stopped [POL-12] [CHN-27]', () => {
  it.each(STOPS)('is not redeemed: %s', async (_what, of, hop) => {
    await stop(world.db, ...of(), epoch)
    const signed = await world.decision(below())
    await expect(world.cdp.redeem(signed, world.collector.presented)).rejects.toMatchObject({
      ...{ code: 'chain_invalid', shown: { outcome: 'revoked', hop } },
    })
    const again = world.cdp.redeem(signed, world.collector.presented)
    await expect(again).rejects.toMatchObject({ code: 'decision_stale' })
    expect((await leaves(world.db)).at(-1)).toMatchObject({
      ...{ event_type: 'issuance_failed', reason: 'aborted' },
    })
  })

  it.each(STOPS)('is not activated: %s', async (_what, of, hop) => {
    const intent = await world.redeem(below())
    const made = await world.cdp.mint(intent)
    await stop(world.db, ...of(), epoch)
    const active = world.ledger.record(null, async (tx) => {
      const lease = await world.cdp.activate(tx, intent, made)
      return { entries: [], value: lease, answer: null }
    })
    await expect(active).rejects.toMatchObject({ code: 'chain_invalid', shown: { hop } })
    await active.catch((cause: unknown) => world.cdp.takeBack(intent, cause))
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ end_reason: 'aborted' })
  })

  it('is redeemed when something elsewhere was', async () => {
    await stop(world.db, 'delegation', newId('dlg', now()), epoch)
    await stop(world.db, 'agent', newId('agt', now()), epoch + 1)
    await stop(world.db, 'session', 'jti-of-the-session', epoch + 2)
    await expect(world.redeem(below())).resolves.toMatchObject({ delegation: delegationOf(leaf) })
  })
})

describe('a live credential', () => {
  const spend1 = (token: string) =>
    world.credentials.redeem(
      payments,
      { token, tool: 'payments.refund', argsHash: ARGS, dpop: null },
      {
        act: {
          requestId: 'r',
          face: 'native',
          actor: { kind: 'service', id: 'payments', authentication: 'service_assertion' },
        },
        origin: { address: '', userAgent: null },
        key: null,
      },
    )

  it.each(STOPS)(
    'is dead for its target as soon as %s is stopped, and swept',
    async (_what, of) => {
      const { token, lease } = await issue(world, below())
      expect(await world.introspect(payments, token)).not.toBeNull()
      await stop(world.db, ...of(), epoch * 100)
      expect(await world.introspect(payments, token)).toBeNull()
      await expect(spend1(token)).rejects.toMatchObject({ code: 'credential_gone' })
      await world.aSweeper().sweepOnce()
      expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'revoked' })
    },
  )

  it.each(FREEZES)('is held back while %s is frozen, and alive again after', async (_what, of) => {
    const { token, lease } = await issue(world, below())
    await freeze(...of())
    expect(await world.introspect(payments, token)).toBeNull()
    await expect(spend1(token)).rejects.toMatchObject({ code: 'credential_gone' })
    await world.aSweeper().sweepOnce()
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'active' })
    await world.db.query('update procura.freeze set lifted_at = now(), lift_event_id = $1', ['evt'])
    expect(await world.introspect(payments, token)).not.toBeNull()
    await expect(spend1(token)).resolves.toMatchObject({ credential: lease.id })
  })
})

describe('a decision, after which it was frozen', () => {
  it.each(FREEZES)('does not deliver: %s; what it spent is given back', async (_what, of, hop) => {
    const jti = newId('dec', now())
    await spend(world.db, jti)
    const before = await used(world.db)
    await freeze(...of())
    const redeeming = world.redeem({ ...below(), jti })
    const [kind, id] = hop === null ? ['sponsor', WHO.sponsor] : ['agent', hopOf(hop).agent]
    await expect(redeeming).rejects.toMatchObject({
      ...{ code: 'frozen', shown: { decision: jti, stoppedBy: { hop, kind, id } } },
    })
    expect(await used(world.db)).toBe(before - 1)
  })

  it('nor does one that was redeemed before: it is taken back', async () => {
    const intent = await world.redeem(below())
    const made = await world.cdp.mint(intent)
    await freeze('everything', '')
    const active = world.ledger.record(null, async (tx) => {
      const lease = await world.cdp.activate(tx, intent, made)
      return { entries: [], value: lease, answer: null }
    })
    await expect(active).rejects.toMatchObject({ code: 'frozen' })
    await active.catch((cause: unknown) => world.cdp.takeBack(intent, cause))
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ end_reason: 'aborted' })
  })

  it('at depth 0 is held against its tool, agent and sponsor', async () => {
    for (const [kind, scope, hop] of [
      ['tool', 'payments.refund', 0],
      ['agent', WHO.agent, 0],
      ['sponsor', WHO.sponsor, null],
    ] as const) {
      await freeze(kind, scope)
      await expect(world.redeem(), kind).rejects.toMatchObject({
        ...{ code: 'frozen', shown: { stoppedBy: { hop } } },
      })
      await world.db.query('delete from procura.freeze')
    }
    await freeze('agent', middle)
    await expect(world.redeem()).resolves.toMatchObject({ delegation: null })
  })
})

describe('what ended while nobody was there', () => {
  it('is swept when somebody is, all of it, each with its confirmation [REV-09]', async () => {
    const leases = await Promise.all(Array.from({ length: 100 }, () => issue(world, below())))
    const later = new Date(Date.now() + 3_600_000)
    expect(await world.aSweeper().sweepOnce(later)).toBeGreaterThanOrEqual(100)
    const ids = leases.map(({ lease }) => lease.id)
    const rows = await world.db.query<{ state: string; dead: boolean; n: number }>(
      `select state, confirmed_dead_at is not null as dead, count(*)::int as n from procura.lease
       where id = any ($1) group by 1, 2`,
      [ids],
    )
    expect(rows).toEqual([{ state: 'expired', dead: true, n: 100 }])
  })
})
