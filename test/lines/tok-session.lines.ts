/** Sessions: for whom an assertion names, with the first key it came with, and never wider than consented. */
import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { aHolder } from '../identity/signing.ts'
import { REFUND } from '../scenario/house.ts'
import { BODY, memberOf } from './adaptor.ts'
import { insideOf, seconds } from './forging.ts'
import { line } from './pair.ts'

for (const kind of ['oidc', 'spiffe'] as const) {
  line(
    `[TOK-03] an assertion (${kind}) is its first key’s: another key does not get in with it`,
    async (w) => {
      const agent = await w.anAgent({ kind })
      const wt = w.WT(agent)
      await w.accepted(w.TK(agent, { wt }), 200)
      for (const at of [0, 1]) {
        await w.refused(w.TK(agent, { wt, key: aHolder(), at }), {
          ...{ status: 401, error: 'invalid_client', code: 'assertion_bound_elsewhere' },
        })
        await w.accepted(w.TK(agent, { wt, at }), 200)
      }
    },
  )
}

line('[TOK-03] of many keys that come with one assertion at once, one gets in', async (w) => {
  const agent = await w.anAgent({ kind: 'oidc' })
  const wt = w.WT(agent)
  const tried = Array.from({ length: 20 }, (_, n) => w.TK(agent, { wt, key: aHolder(), at: n % 2 }))
  const answers = await Promise.all(tried)
  expect(answers.filter(({ status }) => status === 200).length).toBe(1)
  for (const answer of answers.filter(({ status }) => status !== 200)) {
    await w.refused(answer, { status: 401, code: 'assertion_bound_elsewhere' })
  }
})

describe('an assertion under an own key', () => {
  const wrong = { status: 401, error: 'invalid_client', code: 'invalid_client' } as const

  line('[TOK-04] is by and about one agent, for us, and once', async (w) => {
    const other = await w.anAgent()
    const { agent } = w
    const made = (claims: JsonObject | Record<string, undefined>) => w.WT(agent, { claims })
    await w.refused(w.TK(agent, { wt: made({ sub: other.id }) }), { ...wrong, log: 'sub' })
    await w.refused(w.TK(agent, { wt: made({ iss: other.id }) }), {
      ...wrong,
      log: 'bad_signature',
    })
    await w.refused(w.TK(agent, { wt: made({ aud: 'https://as.example' }) }), {
      ...wrong,
      log: 'aud',
    })
    for (const jti of [undefined, '', 7, 'x'.repeat(300)]) {
      await w.refused(w.TK(agent, { wt: w.WT(agent, { claims: { jti } }) }), {
        ...wrong,
        log: 'jti',
      })
    }
    const jti = randomUUID()
    await w.accepted(w.TK(agent, { wt: made({ jti }) }), 200)
    for (const at of [0, 1]) {
      await w.refused(w.TK(agent, { wt: made({ jti }), at }), { ...wrong, log: 'jti_replay' })
    }
    await w.accepted(w.TK(other, { wt: w.WT(other, { claims: { jti } }) }), 200)
  })

  line('[TOK-04] is taken once of fifty times at once', async (w) => {
    const wt = w.WT(w.agent)
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => w.TK(w.agent, { wt, at: n % 2 })),
    )
    expect(answers.filter(({ status }) => status === 200).length).toBe(1)
    for (const it of answers) if (it.status !== 200) await w.refused(it, wrong)
  })
})

describe('a session', () => {
  const details = (members: JsonObject) =>
    JSON.stringify([{ type: 'agent_delegation', ...members }])

  line('[TOK-05] is never wider than what was consented to', async (w) => {
    const bounded = { constraints: [{ key: 'args.amount', max: 500 }] }
    const terms = { tools: ['payments.refund'], purpose: 'support.refunds', ...bounded }
    const agent = await w.anAgent({ terms })
    const error = 'invalid_authorization_details'
    const wider = [
      ...[details({ scopes: ['sql.query'] }), details({ scopes: ['payments.*'] })],
      ...[details({ scopes: ['*'] }), details({ constraints: [{ key: 'args.amount', max: 501 }] })],
      ...[details({ constraints: [{ key: 'geo', geo_limit: 'EU' }] }), details({ more: true })],
      ...['[{"type":"tool_call"}]', '[]', '{}', 'nonsense', '[{"type":"agent_delegation"},{}]'],
    ]
    for (const authorization_details of wider) {
      const form = { authorization_details }
      await w.refused(w.TK(agent, { form }), { status: 400, error })
    }
    for (const purpose of ['support', 'reporting', 'support.refunds*', 'support.refundsx']) {
      await w.refused(w.TK(agent, { form: { purpose } }), { status: 400, error })
    }
    for (const scope of ['payments.refund', 'openid', '*']) {
      await w.refused(w.TK(agent, { form: { scope } }), { status: 400, error: 'invalid_scope' })
    }
    for (const name of ['resource', 'audience']) {
      const form = { [name]: 'https://other.example' }
      await w.refused(w.TK(agent, { form }), { status: 400, error: 'invalid_target' })
    }
    const narrow = details({ constraints: [{ key: 'args.amount', max: 400 }] })
    const form = { authorization_details: narrow, purpose: 'support.refunds.goodwill' }
    const st = await w.ST(agent, { form })
    expect(insideOf(st).claims).toMatchObject({ purpose: 'support.refunds.goodwill' })
    const asking = (amount: number) => ({ st, body: { ...BODY, arguments: { ...REFUND, amount } } })
    await w.accepted(w.CR(agent, asking(400)))
    await w.refused(w.CR(agent, asking(401)), { status: 403, code: 'outside_authority' })
  })

  line('[TOK-06] ends with what it rests on', async (w) => {
    const soon = new Date((seconds() + 30) * 1000).toISOString()
    const terms = { tools: ['payments.refund'], purpose: 'support.refunds', expires_at: soon }
    const short = await w.anAgent({ terms })
    const answer = await w.accepted(w.TK(short), 200)
    expect(Number(answer.body['expires_in'])).toBeLessThanOrEqual(30)
    expect(insideOf(memberOf(answer, 'access_token')).claims['exp']).toBeLessThanOrEqual(
      Date.parse(soon) / 1000,
    )
    for (const kind of ['own', 'oidc', 'spiffe'] as const) {
      const agent = await w.anAgent({ kind })
      const exp = seconds() + 30
      const st = await w.ST(agent, { wt: w.WT(agent, { claims: { exp } }) })
      expect(insideOf(st).claims['exp'], kind).toBeLessThanOrEqual(exp)
    }
  })
})
