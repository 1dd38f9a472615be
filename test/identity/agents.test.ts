import { beforeEach, describe, expect, it } from 'vitest'
import { requestKeyOf } from '../../src/identity/acts.ts'
import type { NewAgent } from '../../src/identity/new-agent.ts'
import { aHolder } from './signing.ts'
import { aWorld, by, CI, presented, refusalOf, type World } from './world.ts'

let world: World
beforeEach(async () => {
  world = await aWorld()
})
const oidc = (subject: string) => ({ kind: 'oidc', issuer: CI, subject }) as const

async function register(
  wanted: Partial<NewAgent>,
  { sub = 'anna', key = '', at = world.identity } = {},
) {
  const person = await world.personOf(sub)
  const body = Buffer.from(JSON.stringify(wanted))
  const request = presented({ path: '/v1/agents', body, idempotencyKey: key === '' ? null : key })
  const whole = { name: 'Nightly', workload: oidc('repo'), ...wanted }
  return await at.agents.register(
    person,
    whole,
    by(person, requestKeyOf(person.person.id, request)),
  )
}

describe('registering an agent', () => {
  it('puts it on record, with the person sealed, and names the event', async () => {
    const { agent, eventId, isRepeat } = await register({ description: 'Runs\nat night' })
    expect(isRepeat).toBe(false)
    expect(agent).toMatchObject({ name: 'Nightly', status: 'active', workload: oidc('repo') })
    const [leaf] = await world.db.query<{ entry: string; event_id: string }>(
      `select entry, event_id from ledger.leaf where event_type = 'agent_registered'`,
    )
    expect(leaf?.event_id).toBe(eventId)
    expect(leaf?.entry).toContain(agent.sponsor)
    expect(leaf?.entry).not.toContain('anna')
    expect(
      await world.db.query('select id from procura.agent where event_id = $1', [eventId]),
    ).toEqual([{ id: agent.id }])
    expect(await world.db.query('select id from procura.sealed_payload')).toEqual([{ id: eventId }])
  })

  it('is not for a sponsor who was stopped, though for every other', async () => {
    const { agent } = await register({})
    await world.db.query(
      `insert into procura.stop (tenant, kind, id, epoch, revocation, at)
       select tenant, 'sponsor', sponsor, 1, 'rev_1', now() from procura.agent`,
    )
    const again = { workload: oidc('other') }
    expect(await refusalOf(register(again))).toMatch('role_required')
    const { agent: other } = await register(again, { sub: 'bob' })
    expect(await world.db.query('select id from procura.agent order by id')).toEqual([
      ...[{ id: agent.id }, { id: other.id }],
    ])
  })

  it('[AUT-29] lets a workload belong to one active agent, and to another one only after that', async () => {
    const first = await register({})
    expect(await refusalOf(register({}, { sub: 'bob' }))).toMatch('workload_taken')
    await world.db.query(`update procura.agent set status = 'retired'`)
    const second = await register({}, { sub: 'bob' })
    expect(second.agent.id).not.toBe(first.agent.id)
    const { agents } = world.identity
    expect(await agents.active(first.agent.id)).toBeNull()
    expect(await agents.active(second.agent.id)).toEqual(second.agent)
  })

  it('lets one of many that race for a workload have it, and leaves no trace of the others', async () => {
    const replica = world.aReplica()
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        refusalOf(register({}, { at: n % 2 === 0 ? world.identity : replica })),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1)
    expect(await world.db.query('select count(*)::int as n from ledger.leaf')).toEqual([{ n: 1 }])
    expect(await world.db.query('select count(*)::int as n from procura.sealed_payload')).toEqual([
      { n: 1 },
    ])
  })

  it('answers a repeated key with the same agent, and another body with a refusal', async () => {
    const first = await register({ name: 'One' }, { key: 'my-own-key-1' })
    const again = await register({ name: 'One' }, { key: '"my-own-key-1"' })
    expect(again).toEqual({ ...first, isRepeat: true })
    const other = register({ name: 'Two', workload: oidc('b') }, { key: 'my-own-key-1' })
    expect(await refusalOf(other)).toMatch('idempotency_mismatch')
    const theirs = await register(
      { name: 'One', workload: oidc('c') },
      { key: 'my-own-key-1', sub: 'bob' },
    )
    expect(theirs.isRepeat).toBe(false)
  })

  it('is for sponsors', async () => {
    const person = await world.personOf('olga', { groups: ['ops'] })
    const wanted = { name: 'x', workload: oidc('x') }
    expect(await refusalOf(world.identity.agents.register(person, wanted, by(person)))).toMatch(
      'role_required',
    )
  })

  it('keeps of a key what makes it a key', async () => {
    const { jwk } = aHolder()
    const { agent } = await register({ workload: { kind: 'jwk', jwk: { ...jwk, use: 'sig' } } })
    const { crv, kty, x, y } = jwk
    expect(agent.workload).toEqual({ kind: 'jwk', jwk: { crv, kty, x, y } })
    const again = register({ workload: { kind: 'jwk', jwk: { ...jwk, kid: 'other' } } })
    expect(await refusalOf(again)).toMatch('workload_taken')
  })

  it.each<[string, string, Partial<NewAgent>]>([
    ['/name', 'nothing', { name: ' ' }],
    ['/name', '81 characters', { name: 'x'.repeat(81) }],
    ['/name', 'a line break', { name: 'a\nb' }],
    ['/name', 'a bidi override', { name: 'a\u202eb' }],
    ['/description', '501 characters', { description: 'x'.repeat(501) }],
    [
      '/workload/issuer',
      'an issuer that is not configured',
      { workload: { ...oidc('x'), issuer: `${CI}/` } },
    ],
    ['/workload/subject', 'no subject', { workload: oidc('') }],
    [
      '/workload/id',
      'another trust domain',
      { workload: { kind: 'spiffe', id: 'spiffe://example.org.evil/a' } },
    ],
    [
      '/workload/id',
      'a dot segment',
      { workload: { kind: 'spiffe', id: 'spiffe://example.org/a/../b' } },
    ],
    [
      '/workload/jwk',
      'a private key',
      {
        workload: {
          kind: 'jwk',
          jwk: aHolder().privateKey.export({ format: 'jwk' }) as Record<string, string>,
        },
      },
    ],
    ['/workload/jwk', 'an RSA key', { workload: { kind: 'jwk', jwk: aHolder('RS256').jwk } }],
  ])('points at %s where it is %s', async (pointer, _, wrong) => {
    await expect(register(wrong)).rejects.toMatchObject({
      code: 'schema_violation',
      shown: { errors: [{ pointer }] },
    })
    expect((await register({})).agent.status).toBe('active')
  })
})

describe('looking at agents', () => {
  it("shows one's own, newest first, in pages; operators and auditors see all", async () => {
    const mine = []
    for (const name of ['a', 'b', 'c'])
      mine.push((await register({ name, workload: oidc(name) })).agent.id)
    const theirs = (await register({ workload: oidc('d') }, { sub: 'bob' })).agent.id
    const { agents } = world.identity
    const [anna, auditor] = [
      await world.personOf('anna'),
      await world.personOf('aud', { groups: ['auditors'] }),
    ]

    const first = await agents.list(anna, { limit: 2, before: null })
    expect(first.items.map(({ agent }) => agent.name)).toEqual(['c', 'b'])
    const rest = await agents.list(anna, { limit: 2, before: first.next })
    expect(rest.items.map(({ agent }) => agent.name)).toEqual(['a'])
    expect(rest.next).toBeNull()
    const all = await agents.list(auditor, { limit: 50, before: null })
    expect(all.items.map(({ agent }) => agent.id)).toEqual([theirs, ...mine.reverse()])

    expect((await agents.find(auditor, theirs)).agent.id).toBe(theirs)
    expect(await refusalOf(agents.find(anna, theirs))).toBe('not_found: not_found')
    expect(await refusalOf(agents.find(anna, 'agt_unknown'))).toBe('not_found: not_found')
    expect((await agents.find(anna, first.items[0]?.agent.id ?? '')).agent.name).toBe('c')
  })
})
