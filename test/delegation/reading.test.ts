/** Who may read a chain, and that what is told of it is what was signed, spent and done. */
import { expect } from 'vitest'
import type { Json, JsonObject } from '../../src/domain/json.ts'
import { memberOf } from '../lines/adaptor.ts'
import { chainsOf } from '../lines/chains.ts'
import { twoBrokers, type World } from '../lines/house.ts'
import { RV } from '../lines/stopping.ts'
import type { Answer } from '../lines/wire.ts'
import { eventually } from '../scenario/house.ts'

const { line } = twoBrokers()

const REFUND = { order_id: 'EU-2026/10231', amount: 400, currency: 'EUR' }
const call = (amount: number) => ({ tool: 'payments.refund', arguments: { ...REFUND, amount } })
const at = (body: Answer['body'], ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], body)

/** A team agent and a payer below it: two hops, one refund made, one refused. */
async function aTree(w: World) {
  const { aDelegator, hop, DG, TX } = chainsOf(w)
  const { agent: desk, root } = await aDelegator()
  const [team, payer] = [await w.anAgent(), await w.anAgent()]
  const first = hop(root, team, { constraints: [{ key: 'calls', max_subtree: 20 }] })
  const second = hop(first, payer, {
    constraints: [{ key: 'payments.refund#args.amount', max: 500 }],
    delMaxDepth: 3,
  })
  const one = memberOf(await w.accepted(DG(desk, first)), 'id')
  const session = await w.accepted(TX(payer, second), 200)
  const two = memberOf(session, 'delegation_id')
  const st = memberOf(session, 'access_token')
  const issued = await w.accepted(w.CR(payer, { st, body: call(400) }))
  const no = await w.refused(w.CR(payer, { st, body: call(501) }), {
    ...{ status: 403, code: 'outside_authority' },
  })
  const ids = {
    ...{ consent: desk.consent, one, two, credential: memberOf(issued, 'id') },
    ...{ allowed: memberOf(issued, 'decision_id'), refused: memberOf(no, 'decision_id') },
  }
  return { desk, team, payer, second, ids }
}

const CH = (w: World, id: string, person: 'cleo' | 'kim' | 'ana' | 'ben' = 'cleo', query = '') =>
  w.asBearer(w.PT(person), 'GET', `/v1/chains/${id}${query}`)

line(
  'a chain is told from the consent down: names, what each hop dropped, what is left',
  async (w) => {
    const { desk, team, payer, ids } = await aTree(w)
    const { body } = await w.accepted(CH(w, ids.credential), 200)
    expect(body).toMatchObject({
      ...{ id: ids.credential, decision_id: ids.allowed, credential_id: ids.credential },
      sponsor: { identity: { sub: 'kim' } },
      consent: { id: desk.consent, agent_id: desk.id, status: 'active', max_uses: 1000, uses: 1 },
      hops: [
        { depth: 0, kind: 'root', agent_id: desk.id, status: 'active' },
        {
          depth: 1,
          kind: 'delegation',
          delegation_id: ids.one,
          agent_id: team.id,
          parent_id: null,
        },
        { depth: 2, delegation_id: ids.two, agent_id: payer.id, parent_id: ids.one },
      ],
    })
    expect(at(body, 'hops', 0, 'dropped')).toEqual({
      ...{ scopes: [], purpose: null, constraints: [], hops: 0 },
    })
    expect(at(body, 'hops', 1, 'dropped', 'constraints')).toEqual([
      { key: 'calls', type: 'max_subtree', was: 1000, is: 20 },
    ])
    expect(at(body, 'hops', 2, 'dropped')).toEqual({
      ...{ scopes: [], purpose: null, hops: 1 },
      constraints: [{ key: 'payments.refund#args.amount', type: 'max', was: 10_000, is: 500 }],
    })
    expect(at(body, 'hops', 1, 'budgets')).toMatchObject([
      { account: ids.one, key: 'calls', limit: 20, used: 1, left: 19 },
    ])
    expect(at(body, 'hops', 1, 'signed_by')).toBe(at(body, 'hops', 0, 'jkt'))
    const counts = { allow: 1, ask: 0, deny: 1, none: 0 }
    expect(at(body, 'hops', 1, 'done')).toEqual({
      ...{ decisions: counts, credentials: { issued: 1, live: 1 } },
    })
    for (const hop of at(body, 'hops') as JsonObject[]) {
      expect(hop['index'], 'where it is on record').toEqual(expect.any(Number))
    }
  },
)

line('the same chain by each of its ids, and by what was refused under it', async (w) => {
  const { ids } = await aTree(w)
  const of = async (id: string) => at((await w.accepted(CH(w, id), 200)).body, 'hops') as Json[]
  const depths = async (id: string) => (await of(id)).length
  expect(await depths(ids.two)).toBe(3)
  expect(await depths(ids.one)).toBe(2)
  expect(await depths(ids.refused)).toBe(3)
  const whole = await w.accepted(CH(w, ids.consent), 200)
  expect(whole.body).toMatchObject({ hops: [], below_is_all: true })
  expect(at(whole.body, 'below')).toMatchObject([
    { delegation_id: ids.one, dropped: { constraints: [{ key: 'calls' }] } },
    { delegation_id: ids.two, parent_id: ids.one },
  ])
  const { body } = await w.accepted(CH(w, ids.one), 200)
  expect(at(body, 'below')).toMatchObject([{ delegation_id: ids.two, depth: 2 }])
})

line('an act of the consenting agent itself rests on no token, and says so', async (w) => {
  const agent = await w.anAgent()
  const issued = await w.accepted(w.CR(agent, { body: call(400) }))
  const { body } = await w.accepted(CH(w, memberOf(issued, 'id')), 200)
  expect(at(body, 'hops')).toMatchObject([
    { depth: 0, kind: 'session', token_hash: null, agent_id: agent.id, status: 'active' },
  ])
  expect(body).toMatchObject({
    verification: {
      ...{ outcome: 'valid', consent: 'valid' },
      not_performed: ['signatures', 'holder_binding', 'action'],
    },
  })
  expect(body).not.toHaveProperty('below')
})

line(
  'where no token was handed on, the agent and its run are hop 0; consent and sponsor are none',
  async (w) => {
    const verified = async (kind: 'agent' | 'instance' | 'consent') => {
      const agent = await w.anAgent()
      const issued = await w.accepted(w.CR(agent, { body: call(400) }))
      const [run] = await w.database.query<{ id: string }>(
        'select id from procura.instance where agent = $1',
        [agent.id],
      )
      const ids = { agent: agent.id, instance: run?.id ?? '', consent: agent.consent }
      await w.accepted(RV(w, { kind, id: ids[kind] }))
      const { body } = await w.accepted(CH(w, memberOf(issued, 'id')), 200)
      return body['verification']
    }
    expect(await verified('agent')).toMatchObject({ outcome: 'revoked', hop: 0 })
    expect(await verified('instance')).toMatchObject({ outcome: 'revoked', hop: 0 })
    expect(await verified('consent')).toMatchObject({ outcome: 'revoked', hop: null })
  },
)

line(
  'a chain is verified anew from its tokens, and after a stop it is told as it was, and as it is',
  async (w) => {
    const { desk, ids } = await aTree(w)
    const before = await w.accepted(CH(w, ids.allowed), 200)
    expect(before.body).toMatchObject({
      verification: {
        ...{ outcome: 'valid', not_performed: ['holder_binding', 'action'] },
        when_decided: { outcome: 'valid' },
      },
    })
    await w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/consents/${desk.consent}`), 200)
    const after = await w.accepted(CH(w, ids.allowed), 200)
    expect(after.body).toMatchObject({
      consent: { status: 'withdrawn' },
      hops: [{ status: 'revoked' }, { status: 'revoked' }, { status: 'revoked' }],
      verification: { outcome: 'revoked', hop: null, when_decided: { outcome: 'valid' } },
    })
  },
)

line(
  'a row that was changed behind the broker is not believed: the tokens and the evidence are',
  async (w) => {
    const { desk, ids } = await aTree(w)
    await w.database.query(
      `update procura.consent set terms = jsonb_set(terms, '{max_uses}', '5000') where id = $1`,
      [desk.consent],
    )
    const { body } = await w.accepted(CH(w, ids.two), 200)
    expect(body).toMatchObject({ verification: { outcome: 'valid', consent: 'altered' } })
    await w.database.query(
      `update procura.consent set terms = jsonb_set(terms, '{max_uses}', '1000') where id = $1`,
      [desk.consent],
    )
  },
)

line('[CHN] a token that is gone is missed, and no hop is called valid without it', async (w) => {
  const { ids } = await aTree(w)
  const { body } = await w.accepted(CH(w, ids.two), 200)
  const hash = at(body, 'hops', 1, 'token_hash')
  const [kept] = await w.database.query<Record<string, unknown>>(
    'delete from procura.sealed_payload where id = $1 returning *',
    [hash],
  )
  const { body: without } = await w.accepted(CH(w, ids.two), 200)
  expect(without).toMatchObject({ verification: { outcome: 'parent_unknown', hop: 1 } })
  expect(at(without, 'verification', 'not_performed')).toContain('signatures')
  const names = Object.keys(kept ?? {})
  await w.database.query(
    `insert into procura.sealed_payload (${names.join(', ')})
     values (${names.map((_, n) => `$${String(n + 1)}`).join(', ')})`,
    Object.values(kept ?? {}),
  )
})

line(
  'auditors read all, a sponsor their own, nobody else; tokens that are alive are not told',
  async (w) => {
    const { ids, second } = await aTree(w)
    await w.accepted(CH(w, ids.two, 'kim'), 200)
    const none = { status: 404, code: 'not_found' }
    await w.refused(CH(w, ids.two, 'ana'), none)
    const also = w.PT('ana', { claims: { roles: ['sponsor', 'operator'] } })
    await w.refused(w.asBearer(also, 'GET', `/v1/chains/${ids.two}`), none)
    const near = ids.two.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
    await w.refused(CH(w, near), none)
    await w.refused(CH(w, 'dlg_nonsense'), none)
    await w.refused(CH(w, 'evt_01m7ysq11heassstccc64q4cf1'), none)
    await w.refused(CH(w, ids.two, 'ben'), { status: 403, code: 'role_required' })
    await w.refused(CH(w, ids.two, 'kim', '?include=tokens'), {
      status: 403,
      code: 'role_required',
    })
    await w.refused(CH(w, ids.two, 'cleo', '?include=all'), {
      status: 422,
      code: 'schema_violation',
    })
    const { body, text } = await w.accepted(CH(w, ids.two, 'cleo', '?include=tokens'), 200)
    expect(body).toMatchObject({ tokens: [null, null, null] })
    for (const token of second.tokens) expect(text).not.toContain(token)
  },
)

line('tokens whose time is over are told to an auditor, and anybody can check them', async (w) => {
  const { aDelegator, hop, DG } = chainsOf(w)
  const { agent, root } = await aDelegator()
  const handed = hop(root, await w.anAgent(), { lasts: 4 })
  const id = memberOf(await w.accepted(DG(agent, handed)), 'id')
  const isOver = async () => {
    const { body } = await w.accepted(CH(w, id, 'cleo', '?include=tokens'), 200)
    return at(body, 'hops', 1, 'status') === 'expired' && body
  }
  const body = await eventually('its end', isOver, 12)
  expect(body).toMatchObject({
    tokens: [null, handed.tokens[1]],
    verification: { outcome: 'expired', hop: 1, field: 'exp' },
  })
})

line('a gateway asks about a hop, and is told what its holder would be', async (w) => {
  const { desk, payer, ids } = await aTree(w)
  const sponsor = at((await w.accepted(CH(w, ids.two), 200)).body, 'sponsor', 'id') as string
  const ask = async (amount: number, context: JsonObject) => {
    const { body } = await w.accepted(
      w.AZ({
        subject: { type: 'identity', id: sponsor },
        action: { name: 'tools/call' },
        resource: { type: 'tool', id: 'payments.refund' },
        context: { arguments: { ...REFUND, amount }, ...context },
      }),
      200,
    )
    const { code } = body['context'] as { code?: string }
    return [body['decision'], code]
  }
  const under = { agent: payer.id, delegation_id: ids.two }
  expect(await ask(400, under)).toEqual([true, undefined])
  expect(await ask(501, under)).toEqual([false, 'outside_authority'])
  expect(await ask(501, { agent: desk.id, consent_id: desk.consent })).toEqual([true, undefined])
  expect(await ask(400, { agent: desk.id, delegation_id: ids.two })).toEqual([false, 'not_found'])
  const other = await w.anAgent()
  const apart = { ...under, consent_id: other.consent }
  expect(await ask(400, apart)).toEqual([false, 'not_found'])
  expect(await ask(400, { ...under, consent_id: desk.consent })).toEqual([true, undefined])
})

line('what waits for a person is told with its chain, and who said yes', async (w) => {
  const { aDelegator, hop, subSession } = chainsOf(w)
  const { root } = await aDelegator({ constraints: [] })
  const payer = await w.anAgent()
  const st = await subSession(payer, hop(root, payer))
  const asked = await w.accepted(w.CR(payer, { st, body: call(20_000) }), 202)
  const approval = at(asked.body, 'approval', 'id') as string
  const waiting = await w.accepted(CH(w, approval), 200)
  expect(waiting.body).toMatchObject({
    ...{ decision_id: memberOf(asked, 'decision_id'), credential_id: null },
    hops: [{ kind: 'root' }, { agent_id: payer.id, done: { decisions: { ask: 1 } } }],
    approvals: [{ id: approval, status: 'pending', approver_id: null, decided_at: null }],
  })
  const card = await w.accepted(w.asBearer(w.PT('ben'), 'GET', `/v1/approvals/${approval}`), 200)
  const yes = { decision: 'approve', binding_hash: memberOf(card, 'binding_hash') }
  await w.accepted(w.AP(approval, yes), 200)
  const issued = await w.accepted(w.CR(payer, { st, body: { ...call(20_000), approval } }))
  const { body } = await w.accepted(CH(w, memberOf(issued, 'id')), 200)
  expect(at(body, 'approvals')).toEqual([
    {
      ...{ id: approval, status: 'approved' },
      approver_id: expect.stringMatching(/^spn_/) as unknown,
      decided_at: expect.any(String) as unknown,
    },
  ])
})
