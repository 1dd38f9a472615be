/** What a credential is worth: to whom it names, for the call it names, once. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { sha256 } from '../../src/domain/digest.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { aHolder } from '../identity/signing.ts'
import { BODY, memberOf, OTHER_SHOP } from './adaptor.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { approved } from './publishing.ts'

/** A fresh credential, and what its target says to spend it. */
async function minted(w: World, more: JsonObject = {}) {
  const answer = await w.accepted(w.CR(w.agent, { body: { ...BODY, ...more } }))
  const { token } = answer.body['credential'] as { token: string }
  const spending = { token, tool: 'payments.refund', args_hash: memberOf(answer, 'args_hash') }
  return { id: memberOf(answer, 'id'), token, spending: { ...spending, proof_checked: true } }
}
const INACTIVE = '{"active":false}'

line(
  '[TOK-07] whether a credential lives is told to its own target, and nothing to others',
  async (w) => {
    const { id, token } = await minted(w)
    const refused = { status: 401, error: 'invalid_client', code: 'invalid_client' } as const
    await w.refused(w.asForm('/oauth/introspect', { token }), refused)
    await w.refused(w.IN(token, { form: { client_assertion_type: 'none' } }), refused)
    await w.refused(w.IN(token, { token: w.SA({ by: aHolder() }) }), refused)
    await w.refused(w.IN(token, { token: w.PT('kim') }), refused)
    await w.refused(w.IN(token, { token: w.WT(w.agent) }), refused)
    expect((await w.accepted(w.IN(token), 200)).body).toMatchObject({ active: true, jti: id })

    const st = await w.ST(w.agent)
    const unknown = ['', 'x', 'a.b.c', st, w.PT('kim'), `${token.slice(0, -4)}AAAA`].slice(1)
    for (const it of unknown) expect((await w.accepted(w.IN(it), 200)).text).toBe(INACTIVE)
    const foreign = await w.IN(token, { token: w.SA({}, OTHER_SHOP) })
    expect((await w.accepted(foreign, 200)).text).toBe(INACTIVE)

    const { headers } = await w.accepted(w.IN(token), 200)
    await w.accepted(w.asAgent(w.agent, 'DELETE', `/v1/credentials/${id}`), 200)
    for (const at of [0, 1]) {
      const over = await w.accepted(w.IN(token, { at }), 200)
      expect(over.text).toBe(INACTIVE)
      expect(over.headers.get('content-type')).toBe(headers.get('content-type'))
    }
  },
)

line('[TOK-07] one that has expired is inactive, like one that never was', async (w) => {
  const { token } = await minted(w, { ttl_seconds: 6 }) // It has to be delivered within that, too.
  expect((await w.accepted(w.IN(token), 200)).body).toMatchObject({ active: true })
  const deadline = performance.now() + 13_000
  let text = ''
  while (text !== INACTIVE && performance.now() < deadline) {
    ;({ text } = await w.accepted(w.IN(token), 200))
    await pause(50)
  }
  expect(text).toBe(INACTIVE)
})

line('[TOK-08] a credential is spent once, by its target, for its call', async (w) => {
  const { spending } = await minted(w)
  const other = { ...spending, args_hash: sha256('others') }
  await w.refused(w.RD(other), { status: 409, code: 'args_mismatch' })
  await w.refused(w.RD({ ...spending, tool: 'sql.query' }), { status: 409, code: 'args_mismatch' })
  const foreign = w.RD(spending, { token: w.SA({}, OTHER_SHOP) })
  await w.refused(foreign, { status: 404, code: 'not_found' })
  const session = await w.ST(w.agent)
  await w.refused(w.RD({ ...spending, token: session }), { status: 404, code: 'not_found' })
  await w.accepted(w.RD(spending), 200)
  for (const at of [0, 1]) {
    await w.refused(w.RD(spending, { at }), { status: 409, code: 'already_redeemed' })
  }
})

line('[TOK-08] of fifty who spend it at once, one does', async (w) => {
  const { spending } = await minted(w)
  const tried = Array.from({ length: 50 }, (_, n) => w.RD(spending, { at: n % 2 }))
  const answers = await Promise.all(tried)
  expect(answers.filter(({ status }) => status === 200).length).toBe(1)
  for (const it of answers) {
    if (it.status !== 200) await w.refused(it, { status: 409, code: 'already_redeemed' })
  }
})

line('[TOK-10] a gateway is told about those it names, and gets nothing to use', async (w) => {
  const { body: consent } = await w.asBearer(w.PT('kim'), 'GET', `/v1/consents/${w.agent.consent}`)
  const subject = {
    type: 'identity',
    id: memberOf({ ...(await w.control()), body: consent }, 'sponsor_id'),
  }
  const context = {
    agent: w.agent.id,
    consent_id: w.agent.consent,
    arguments: BODY['arguments'] ?? {},
  }
  const asked = (changed: JsonObject = {}) => ({
    ...{ subject, action: { name: 'tools/call' } },
    resource: { type: 'tool', id: 'payments.refund' },
    context: { ...context, ...changed },
  })
  const stranger = w.AZ(asked(), { token: w.SA({ by: aHolder() }) })
  await w.refused(stranger, { status: 401, code: 'invalid_token' })
  for (const token of [w.PT('kim'), await w.ST(w.agent)]) {
    await w.refused(w.AZ(asked(), { token }), { status: 401, code: 'invalid_token' })
  }
  const yes = await w.accepted(w.AZ(asked()), 200)
  expect(yes.body['decision']).toBe(true)
  expect(yes.text).not.toMatch(/token|credential|password/)
  expect(yes.headers.get('cache-control')).toBe('no-store')

  const no = async (changed: JsonObject) => {
    const { body } = await w.accepted(w.AZ(asked(changed)), 200)
    expect(body['decision']).toBe(false)
    return body['context'] as JsonObject
  }
  const { agent: _, ...unnamed } = context
  const without = await w.accepted(w.AZ({ ...asked(), context: unnamed }), 200)
  expect(without.body).toMatchObject({ decision: false, context: { code: 'missing_context' } })
  const invented = { approval: { id: 'apr_01m7ysq11heassstccc64q4cfx', status: 'approved' } }
  expect(await no(invented)).toMatchObject({ reason: 'approval_unverifiable' })
  expect(await no({ approval: { id: 7, status: 'approved' } })).toHaveProperty('reason')
  expect(await no({ agent: (await w.anAgent()).id })).toMatchObject({ code: 'not_found' })
  await w.refused(w.AZ(asked({ purpose: 7 })), { status: 400, code: 'malformed_request' })
})

line(
  '[TOK-10] a yes that a gateway is told of stays unused, until its agent uses it',
  async (w) => {
    const { body: consent } = await w.asBearer(
      w.PT('kim'),
      'GET',
      `/v1/consents/${w.agent.consent}`,
    )
    const args = { ...(BODY['arguments'] as JsonObject), amount: 20_000 }
    const body = { ...BODY, arguments: args }
    const approval = await approved(w, w.agent, body)
    const told = async () => {
      const answer = await w.AZ({
        ...{ subject: { type: 'identity', id: consent['sponsor_id'] ?? null } },
        ...{ action: { name: 'tools/call' }, resource: { type: 'tool', id: 'payments.refund' } },
        context: {
          ...{ agent: w.agent.id, consent_id: w.agent.consent, arguments: args },
          approval: { id: approval },
        },
      })
      return (await w.accepted(answer, 200)).body
    }
    // What is on record of all this is verified when the brokers are ended.
    expect([(await told())['decision'], (await told())['decision']]).toEqual([true, true])
    await w.accepted(w.CR(w.agent, { body: { ...body, approval } }))
    expect(await told()).toMatchObject({
      ...{ decision: false, context: { code: 'approval_consumed' } },
    })
  },
)

line('[TOK-11] a time is clamped to what is allowed, and the answer says to what', async (w) => {
  const answer = await w.accepted(w.CR(w.agent, { body: { ...BODY, ttl_seconds: 3600 } }))
  expect(answer.body['lease_duration']).toBe(120)
  const ends = Date.parse(memberOf(answer, 'expires_at')) - Date.now()
  expect(ends).toBeLessThanOrEqual(120_000)
  const short = await w.anAgent({
    terms: { tools: ['payments.refund'], purpose: 'support.refunds', max_ttl_seconds: 20 },
  })
  const less = await w.accepted(w.CR(short, { body: { ...BODY, ttl_seconds: 100 } }))
  expect(less.body['lease_duration']).toBe(20)
  for (const ttl_seconds of [0, -1, 1e9, 3601, 1.5, '60', null]) {
    const wrong = w.CR(w.agent, { body: { ...BODY, ttl_seconds } })
    await w.refused(wrong, { status: 422, code: 'schema_violation' })
  }
})
