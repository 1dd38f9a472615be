import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { callAsked } from '../../src/policy/asking.ts'
import { type Compiled, createEngine, type VettedRule } from '../../src/policy/cedar.ts'
import { prepareSet } from '../../src/policy/policy-set.ts'
import { asked, files, inForce, parse, posed, sqlCall } from './world.ts'

const set = await inForce()
const { compiled } = await prepareSet(files, parse)
const [, question] = asked(set, 'select * from orders')
const [sponsor] = question.principals
const asking = callAsked(question, sponsor, false)

const rule = (id: string, effect: 'permit' | 'forbid'): VettedRule => ({
  ...{ id, effect, says: id, asks: null, how: 'session', withinSeconds: 600, file: 'x.cedar' },
  ...{ principals: ['Sponsor', 'Agent'], actions: ['sql.query'] },
})
const setOf = (effect: 'permit' | 'forbid', when = 'true'): Compiled => ({
  policies: {
    yes: 'permit (principal, action, resource);',
    it: `${effect} (principal, action == Action::"sql.query", resource) when { ${when} };`,
  },
  rules: [rule('yes', 'permit'), rule('it', effect)],
  schema: compiled.schema,
  looksAtSponsor: false,
})

describe('the engine', () => {
  it('decides by the set that is in force, through any number of changes', () => {
    const engine = createEngine()
    for (let n = 0; n < 7; n += 1) {
      const effect = n % 2 === 0 ? 'permit' : 'forbid'
      const answer = engine.use(setOf(effect)).authorize(asking, 'all')
      expect(answer).toMatchObject({ response: { decision: n % 2 === 0 ? 'allow' : 'deny' } })
    }
    expect(engine.isHealthy()).toBe(true)
  })

  it('answers by the old set while a new one is made, and never by another than it was asked', () => {
    const engine = createEngine()
    const first = engine.use(setOf('permit'))
    const second = engine.use(setOf('forbid'))
    expect(first.authorize(asking, 'all')).toMatchObject({ response: { decision: 'allow' } })
    engine.use(setOf('permit'))
    expect(first.authorize(asking, 'all').type).toBe('failure')
    expect(second.authorize(asking, 'all')).toMatchObject({ response: { decision: 'deny' } })
  })

  it('[POL-10] leaves the set in force deciding when it is given one that it cannot take', () => {
    const engine = createEngine()
    const live = engine.use(setOf('permit'))
    for (let n = 0; n < 3; n += 1) {
      expect(() => engine.use({ ...setOf('forbid'), policies: { it: 'forbid (' } })).toThrow()
      expect(live.authorize(asking, 'all')).toMatchObject({ response: { decision: 'allow' } })
    }
  })

  it.each([
    ['a missing member of the context', { purpose: 'reporting' }],
    ['an unknown member', { ...asking.context, is_admin: true }],
    [
      'a fact of another type',
      { ...asking.context, facts: { ...(asking.context['facts'] as JsonObject), opaque: 'no' } },
    ],
    ['a number that is none', { ...asking.context, depth: 1.5 }],
  ])('[POL-07] fails on %s, whatever would have permitted it', (_what, context) => {
    expect(set.policies.authorize({ ...asking, context }, 'all').type).toBe('failure')
    expect(set.policies.authorize(asking, 'all').type).toBe('success')
  })

  it('[POL-01] knows no action, and no tool by another spelling of its name', () => {
    for (const id of ['SQL.query', 'sql.query.', 'sql.query ', 'no.tool']) {
      const action = { type: 'Action', id }
      expect(set.policies.authorize({ ...asking, action }, 'all').type).toBe('failure')
    }
  })

  it('[POL-03] tells of a forbid that fails, which Cedar would skip and allow', () => {
    const engine = createEngine()
    const policies = engine.use(setOf('forbid', 'context.uses_left + 9223372036854775807 > 0'))
    expect(policies.authorize(asking, 'all')).toMatchObject({
      response: { diagnostics: { errors: [{ policyId: 'it' }] } },
    })
  })

  it('does not trust itself again once something came out of it that is no answer', () => {
    const engine = createEngine()
    const policies = engine.use(setOf('permit'))
    const entities = [null] as unknown as typeof asking.entities
    const [bad] = [{ ...asking, context: { ...asking.context, depth: 1n } }] as unknown as [
      typeof asking,
    ]
    expect(policies.authorize(bad, 'all').type).toBe('failure')
    expect(engine.isHealthy()).toBe(false)
    expect(policies.authorize(asking, 'all').type).toBe('failure')
    expect(entities).toHaveLength(1)
  })

  it('[POL-06] takes what callers send as data: no text of an id or a fact changes an answer', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }).filter((some) => !/\p{Surrogate}/u.test(some)),
      fc.constantFrom(
        '"; permit(principal,action,resource);//',
        '__entity',
        '{"__entity":{"type":"Agent"}}',
        '*',
        '${x}',
      ),
    )
    fc.assert(
      fc.property(text, text, (id, purpose) => {
        const { call } = question
        const changed = posed(asked(set, 'select 1')[0], {
          ...call,
          facts: { ...call.facts, functions: [id], tables: [id] },
        })
        const answer = set.policies.authorize(
          callAsked(
            { ...changed, purpose },
            { ...sponsor, id: `spn_${id}` } as typeof sponsor,
            false,
          ),
          'all',
        )
        expect(answer).toMatchObject({ response: { decision: 'deny' } })
      }),
      { numRuns: 150, seed: 7 },
    )
  })

  it('gives the same question the same answer and reasons, a thousand times', () => {
    const once = JSON.stringify(set.policies.authorize(asking, 'all'))
    for (let n = 0; n < 1000; n += 1) {
      expect(JSON.stringify(set.policies.authorize(asking, 'all'))).toBe(once)
    }
  })

  it('shows rules the sponsor behind an agent, where one looks', async () => {
    const more = `@id("by-sponsor") @say("not for guests")
      forbid (principal is Agent, action == Action::"sql.query", resource)
      when { principal.sponsor.groups.contains("guests") };`
    const own = await inForce({ ...files, 'more.cedar': more })
    for (const groups of [['guests'], []]) {
      const [, put] = asked(own, 'select * from orders', { groups })
      const [, agent = sponsor] = put.principals
      const answer = own.policies.authorize(callAsked(put, agent, false), 'all')
      expect(answer).toMatchObject({ response: { decision: groups.length > 0 ? 'deny' : 'allow' } })
    }
  })

  it('is handed facts of the statement, and never its text', () => {
    const call = sqlCall(set, "select 'canary-6f1b' from orders")
    const [, put] = asked(set, 'select 1')
    expect(JSON.stringify(callAsked({ ...put, call }, sponsor, false))).not.toContain('canary')
  })
})
