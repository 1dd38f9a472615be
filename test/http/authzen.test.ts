import { describe, expect, it } from 'vitest'
import { type Answer, aFront, HEADERS, json, serving } from '../fakes/front.ts'
import { IDS } from '../fakes/settled.ts'

const A_STRING: unknown = expect.any(String)

const TUPLE = {
  subject: { type: 'identity', id: IDS.sponsor },
  action: { name: 'tools/call' },
  resource: { type: 'tool', id: 'sql.query' },
  context: { agent: IDS.agent, consent_id: IDS.consent, arguments: {} },
}
const tool = (id: string) => ({ resource: { type: 'tool', id } })
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  serving(aFront(), ({ call }) =>
    call('POST', `/access/v1/${path}`, json({ ...HEADERS.service, ...headers }, body)),
  )
const evaluate = (changes: object) => post('evaluation', { ...TUPLE, ...changes })
const codeOf = ({ status, body }: Answer) =>
  [status, body['decision'], (body['context'] as { code?: string } | undefined)?.code] as const

describe('POST /access/v1/evaluation', () => {
  it('says yes to what would be allowed, and names the evaluation', async () => {
    const { status, body } = await evaluate({})
    expect([status, body['decision']]).toEqual([200, true])
    expect(body['context']).toEqual({
      ...{ evaluation_id: IDS.decision, level: 'L1' },
      evaluation: { status: 'evaluated', unavailable_input: null },
    })
  })

  it('says no with 200 and the reason', async () => {
    expect(codeOf(await evaluate(tool('x.y')))).toEqual([200, false, 'access_denied'])
    expect(codeOf(await evaluate(tool('ask.first')))).toEqual([200, false, 'approval_required'])
    expect(codeOf(await evaluate(tool('no.such')))).toEqual([200, false, 'unknown_tool'])
    const unclear = await evaluate(tool('deny.unclear'))
    expect(codeOf(unclear)).toEqual([200, false, 'policy_error'])
    expect(unclear.body['context']).toMatchObject({ evaluation: { status: 'not_evaluated' } })
  })

  it('says no to what it does not know', async () => {
    const { context } = TUPLE
    const agentless = { consent_id: IDS.consent }
    expect(codeOf(await evaluate({ context: agentless }))).toEqual([200, false, 'missing_context'])
    const consentless = { agent: IDS.agent }
    expect(codeOf(await evaluate({ context: consentless }))).toEqual([
      200,
      false,
      'missing_context',
    ])
    const audience = { resource: { type: 'audience', id: 'https://x.example' } }
    expect(codeOf(await evaluate(audience))).toEqual([200, false, 'unknown_tuple'])
    const other = { context: { ...context, agent: `${IDS.agent.slice(0, -1)}9` } }
    expect(codeOf(await evaluate(other))).toEqual([200, false, 'not_found'])
    const stranger = { subject: { type: 'identity', id: `${IDS.sponsor.slice(0, -1)}9` } }
    expect(codeOf(await evaluate(stranger))).toEqual([200, false, 'not_found'])
  })

  it('asks about a hop for the agent that received it, and about no other', async () => {
    const delegation_id = IDS.decision.replace('dec_', 'dlg_')
    const under = { agent: IDS.agent, delegation_id, arguments: {} }
    const about = (changes: object) => evaluate({ context: { ...under, ...changes } })
    expect((await about({})).body['decision']).toBe(true)
    expect((await about({ consent_id: IDS.consent })).body['decision']).toBe(true)
    for (const other of [
      { consent_id: `${IDS.consent.slice(0, -1)}9` },
      { agent: `${IDS.agent.slice(0, -1)}9` },
      { delegation_id: 'dlg_x' },
      { consent_id: 5 },
    ]) {
      expect(codeOf(await about(other)), JSON.stringify(other)).toEqual([200, false, 'not_found'])
    }
    expect(codeOf(await about({ delegation_id: 5 }))).toEqual([200, false, 'missing_context'])
  })

  it('looks an approval up, and never believes it', async () => {
    const withApproval = (approval: unknown) =>
      evaluate({ context: { ...TUPLE.context, approval } })
    const expired = await withApproval({ id: IDS.approval, status: 'approved' })
    expect(expired.body).toMatchObject({
      decision: false,
      context: { code: 'approval_expired', reason: 'approval_expired', next_action: 'resubmit' },
    })
    const made = await withApproval({ approved: true })
    expect(made.body).toMatchObject({
      decision: false,
      context: { reason: 'approval_unverifiable' },
    })
  })

  it('ignores members that it does not know', async () => {
    const more = { subject: { ...TUPLE.subject, extra: 1 }, extra: { a: 1 } }
    expect((await evaluate(more)).body['decision']).toBe(true)
  })

  it.each([
    ['nothing', ''],
    ['something else', '{"subject":'],
    ['no subject', { ...TUPLE, subject: undefined }],
    ['an empty id', { ...TUPLE, resource: { type: 'tool', id: '' } }],
    ['a number for a name', { ...TUPLE, action: { name: 5 } }],
    ['a list for a context', { ...TUPLE, context: [] }],
    ['properties that are none', { ...TUPLE, action: { name: 'tools/call', properties: 1 } }],
  ])('is 400 for %s, with a message', async (_what, body) => {
    const answer = await post('evaluation', body)
    expect([answer.status, typeof answer.body['detail']]).toEqual([400, 'string'])
  })

  it('is 400 for another Content-Type, and for a member twice', async () => {
    const text = await post('evaluation', TUPLE, { 'content-type': 'text/plain' })
    expect([text.status, text.body['code']]).toEqual([400, 'malformed_request'])
    const twice = await post('evaluation', '{"subject":{},"subject":{}}')
    expect([twice.status, twice.body['code']]).toEqual([400, 'duplicate_key'])
  })

  it('is 503 while it cannot be recorded', async () => {
    expect((await evaluate(tool('ledger.down'))).status).toBe(503)
  })

  it('echoes the name of the request', async () => {
    const { headers } = await post('evaluation', TUPLE, { 'x-request-id': 'from-gateway' })
    expect(headers.get('x-request-id')).toBe('from-gateway')
  })
})

describe('POST /access/v1/evaluations', () => {
  const { resource: _resource, ...defaults } = TUPLE
  const batch = async (tools: readonly string[], semantic?: string) => {
    const options = semantic === undefined ? {} : { options: { evaluations_semantic: semantic } }
    const { status, body } = await post('evaluations', {
      ...{ ...defaults, ...options, evaluations: tools.map(tool) },
    })
    const answers = (body['evaluations'] ?? []) as { decision: boolean }[]
    return { status, decisions: answers.map(({ decision }) => decision), answers }
  }

  it('answers in order, with defaults that an item replaces whole', async () => {
    const { status, decisions } = await batch(['sql.query', 'x.y', 'sql.query'])
    expect([status, decisions]).toEqual([200, [true, false, true]])
    const replaced = await post('evaluations', {
      ...TUPLE,
      evaluations: [{}, { context: { agent: IDS.agent } }],
    })
    expect(replaced.body['evaluations']).toMatchObject([
      { decision: true },
      { decision: false, context: { code: 'missing_context' } },
    ])
  })

  it('stops at the first no, or the first yes, where that is asked for', async () => {
    const mixed = ['sql.query', 'x.y', 'sql.query']
    expect((await batch(mixed, 'deny_on_first_deny')).decisions).toEqual([true, false])
    expect((await batch(mixed, 'permit_on_first_permit')).decisions).toEqual([true])
    expect((await batch(mixed, 'execute_all')).decisions).toHaveLength(3)
    expect((await batch(mixed, 'whatever')).status).toBe(400)
  })

  it('[ADM-16] refuses a bad item alone, in its place', async () => {
    const evaluations = [tool('sql.query'), { resource: { type: 'tool' } }, 5, tool('ledger.down')]
    const { status, body } = await post('evaluations', { ...defaults, evaluations })
    expect(status).toBe(200)
    expect(body['evaluations']).toMatchObject([
      { decision: true },
      { decision: false, context: { error: { status: 400, message: A_STRING } } },
      { decision: false, context: { error: { status: 400 } } },
      { decision: false, context: { error: { status: 503 } } },
    ])
  })

  it('is a single evaluation without items, and refuses more than 64', async () => {
    expect((await post('evaluations', TUPLE)).body['decision']).toBe(true)
    expect((await post('evaluations', { ...TUPLE, evaluations: [] })).body['decision']).toBe(true)
    expect((await batch(Array.from({ length: 64 }, () => 'x.y'))).decisions).toHaveLength(64)
    expect((await batch(Array.from({ length: 65 }, () => 'x.y'))).status).toBe(400)
  })
})
