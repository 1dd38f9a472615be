/** What a claim about a model can do: take away. By Cedar itself, and by rules of every make. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Model } from '../../src/domain/agent.ts'
import type { Chain } from '../../src/domain/chain.ts'
import { type Compiled, createEngine, type VettedRule } from '../../src/policy/cedar.ts'
import { decide } from '../../src/policy/decide.ts'
import { delegationRefused } from '../../src/policy/delegating.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { prepareSet } from '../../src/policy/policy-set.ts'
import { inputFrom } from '../../src/policy/snapshot.ts'
import { IDS, NOW } from '../fakes/settled.ts'
import { aChain, files, inForce, parse, posed, sqlCall } from './world.ts'

const set = await inForce()
const { compiled } = await prepareSet(files, parse)
const call = sqlCall(set, 'select * from orders')
const BINDINGS = { L2: 'binding-2', L3: 'binding-3' }

interface Written {
  readonly effect: 'permit' | 'forbid'
  readonly when: string
  readonly asks: string | null
}
function policiesOf(rules: readonly Written[], action = 'sql.query') {
  const ids = rules.map((_, at) => `rule-${String(at)}`)
  const texts = rules.map(({ effect, when, asks }, at) => {
    const gate = asks === null ? '' : 'unless { context.approved }'
    const scope = `principal is Agent, action == Action::"${action}", resource`
    return [ids[at] ?? '', `${effect} (${scope}) when { ${when} } ${gate};`] as const
  })
  const sponsors = 'permit (principal is Sponsor, action, resource);'
  const vetted = rules.map(({ effect, asks }, at): VettedRule => ({
    ...{ id: ids[at] ?? '', effect, says: 'x', asks, how: 'session', withinSeconds: 600 },
    ...{ file: 'x.cedar', principals: ['Agent'], actions: [action] },
  }))
  const whole: Compiled = {
    policies: { sponsors, ...(Object.fromEntries(texts) as Record<string, string>) },
    rules: [{ ...sponsorsRule, actions: [action] }, ...vetted],
    schema: compiled.schema,
    looksAtSponsor: false,
  }
  return createEngine().use(whole).cedar
}
const sponsorsRule: VettedRule = {
  ...{ id: 'sponsors', effect: 'permit', says: 'x', asks: null, how: 'session' },
  ...{ withinSeconds: 600, file: 'x.cedar', principals: ['Sponsor'], actions: [] },
}

const on = (tier: string, basis: Model['basis']): Model => ({ name: 'opus', tier, basis })
function runBy(model: Model | null): Chain {
  const chain = aChain()
  return { ...chain, hops: [{ ...chain.hops[0], model }] }
}
const answered = (policies: ReturnType<typeof policiesOf>, model: Model | null) =>
  evaluate(policies, posed(runBy(model), call), BINDINGS)

const conditions = fc.constantFrom(
  'principal.tier == "large"',
  'principal.tier != "large"',
  'principal.tier like "l*"',
  'principal.tier_attested',
  '!principal.tier_attested && principal.tier == "unknown"',
  'principal.tier_attested && principal.tier == "large"',
  'true',
)
const rules = fc.array(
  fc.record<Written>({
    effect: fc.constantFrom('permit', 'forbid'),
    when: conditions,
    asks: fc.constantFrom(null, 'dba'),
  }),
  { minLength: 1, maxLength: 4 },
)
const RANK = { allow: 0, ask: 1, deny: 2, none: 2 }

describe('a model that is claimed', () => {
  it('[CB-14] never makes an answer less strict than no claim would have it', () => {
    let [moved, widening] = [0, 0]
    fc.assert(
      fc.property(rules, fc.constantFrom('large', 'small', 'unknown'), (written, tier) => {
        const policies = policiesOf(
          written.map((one) => (one.effect === 'permit' ? { ...one, asks: null } : one)),
        )
        const without = answered(policies, null).answer.kind
        const claimed = answered(policies, on(tier, 'claimed')).answer.kind
        const attested = answered(policies, on(tier, 'attested')).answer.kind
        expect(RANK[claimed]).toBeGreaterThanOrEqual(RANK[without])
        if (claimed !== without) moved += 1
        if (RANK[attested] < RANK[without]) widening += 1
      }),
      { numRuns: 150, seed: 14 },
    )
    // Claims did take away, and what is attested did give: neither side was never met.
    expect(moved).toBeGreaterThan(5)
    expect(widening).toBeGreaterThan(5)
  })

  const large: Written = { effect: 'permit', when: 'principal.tier == "large"', asks: null }
  it('is refused where a permit rests on it, and told why; one that is attested is let through', () => {
    const policies = policiesOf([large])
    expect(answered(policies, on('large', 'attested')).answer.kind).toBe('allow')
    const { answer, principals } = answered(policies, on('large', 'claimed'))
    expect(answer).toMatchObject({
      ...{ kind: 'deny', reason: 'no_permit', stoppedBy: { kind: 'agent', hop: 0 } },
      detail:
        'no rule permits sql.query at hop 0; a model that is claimed, and not attested, permits nothing',
    })
    expect(principals.map((one) => one.answer)).toEqual(['allow', 'deny'])
  })

  it('has every gate asked that it or its absence meets', () => {
    const open: Written = { effect: 'permit', when: 'true', asks: null }
    const gates = ['principal.tier == "large"', 'principal.tier == "unknown"']
    const policies = policiesOf([
      open,
      ...gates.map((when, at): Written => ({
        effect: 'forbid',
        when,
        asks: `group-${String(at)}`,
      })),
    ])
    const { answer } = answered(policies, on('large', 'claimed'))
    expect(answer).toMatchObject({ kind: 'ask', asked: { of: ['group-0', 'group-1'] } })
  })

  it('does not get past what forbids handing on', () => {
    const small: Written = { effect: 'forbid', when: 'principal.tier != "large"', asks: null }
    const policies = policiesOf([small], 'delegate')
    const refusal = (model: Model | null) =>
      delegationRefused(
        { policies, catalogue: set.catalogue, purposes: set.purposes },
        {
          delegator: { kind: 'agent', hop: 0, id: IDS.agent, sponsor: IDS.sponsor, model },
          ...{ delegate: 'agt_worker', isSameSponsor: true, scopes: ['sql.query'] },
          ...{ purpose: 'reporting', depth: 1 },
        },
        NOW,
      )
    expect(refusal(on('large', 'claimed'))).toMatchObject({ code: 'access_denied' })
    expect(refusal(on('large', 'attested'))).toBeNull()
  })
})

describe('a purpose that is triggered from outside', () => {
  it.each([
    ['maintenance', 'allow'],
    ['maintenance.reported', 'ask'],
    ['maintenance.no_longer_declared', 'ask'],
  ])('is seen by rules, and made again from the record: %s → %s', (purpose, kind) => {
    const chain = aChain({ terms: { purpose } })
    const written = sqlCall(set, 'update orders set total = 0')
    const decision = decide(set, chain, posed(chain, written))
    expect(decision.answer.kind).toBe(kind)
    const { question, bindings } = inputFrom(decision.snapshot, set)
    expect(evaluate(set.policies, question, bindings).answer).toEqual(decision.answer)
  })
})
