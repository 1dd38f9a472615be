import { describe, expect, it } from 'vitest'
import { callAsked } from '../../src/policy/asking.ts'
import { type Compiled, createEngine } from '../../src/policy/cedar.ts'
import { opinionOn } from '../../src/policy/opinion.ts'
import { prepareSet } from '../../src/policy/policy-set.ts'
import { asked, files, inForce, parse } from './world.ts'

const { compiled } = await prepareSet(files, parse)
const [, question] = asked(await inForce(), 'select * from orders')
const [sponsor] = question.principals
const asking = callAsked(question, sponsor, false)

/** It parses, and the evaluator does not survive it: vetting would refuse it. */
const deadly: Compiled = {
  ...compiled,
  policies: {
    ...compiled.policies,
    'orders-are-read': `permit (principal, action, resource) when { ${Array.from({ length: 1500 }, () => 'context.approved').join(' || ')} };`,
  },
}
const alarm = (what: string) => expect.unreachable(what)

describe('an engine', () => {
  it('[POL-08] that trapped answers nothing, by compiled rules neither, until it is loaded anew; then right', () => {
    const engine = createEngine()
    const policies = engine.use(compiled)
    policies.quicken(alarm)
    const first = policies.authorize(asking, 'all')
    expect(first).toMatchObject({ type: 'success', response: { decision: 'allow' } })
    expect(policies.authorize(asking, 'all').evaluator).toBe('compiled')

    const trapped = engine.use(deadly)
    expect(trapped.authorize(asking, 'all').type).toBe('failure')
    expect([engine.isUsable(), engine.isHealthy()]).toEqual([false, false])
    for (const one of [policies, trapped]) {
      expect(one.authorize(asking, 'all').type).toBe('failure')
      expect(one.cedar.authorize(asking, 'all').type).toBe('failure')
    }

    expect([engine.mend(), engine.mend()]).toEqual([true, false])
    expect([engine.isUsable(), engine.isHealthy()]).toEqual([true, true])
    expect(policies.authorize(asking, 'all')).toMatchObject({
      ...{ response: { decision: 'allow' }, evaluator: 'compiled' },
    })
    expect(policies.cedar.authorize(asking, 'all')).toMatchObject({
      response: { decision: 'allow', diagnostics: { reason: ['orders-are-read'] } },
    })
    const next = engine.use(compiled)
    expect(next.authorize(asking, 'all')).toMatchObject({ response: { decision: 'allow' } })
  })

  it('that trapped takes no other engine with it for good', () => {
    const [one, other] = [createEngine(), createEngine()]
    one.use(deadly).authorize(asking, 'all')
    expect(() => other.use(compiled)).toThrow()
    expect(other.isUsable()).toBe(false)
    const policies = other.use(compiled)
    expect(one.mend()).toBe(true)
    for (const engine of [one, other]) expect(engine.isHealthy()).toBe(true)
    expect(policies.authorize(asking, 'all')).toMatchObject({ response: { decision: 'allow' } })
  })

  it('gives what is asked of a set that was replaced to nobody, compiled or not', () => {
    const engine = createEngine()
    const old = engine.use(compiled)
    old.quicken(alarm)
    engine.use(compiled)
    engine.use(compiled)
    expect(old.authorize(asking, 'all').type).toBe('failure')
    expect(old.cedar.authorize(asking, 'all').type).toBe('failure')
  })

  it('[AC-04] gives the same rules in the same order, though Cedar gives its own in another each time', () => {
    const names = [...'qwertyuiopas'].map((letter) => `rule-${letter}`)
    const [permit] = compiled.rules.filter(({ effect }) => effect === 'permit')
    if (permit === undefined) throw new Error('nothing permits')
    const policies = createEngine().use({
      ...compiled,
      policies: Object.fromEntries(
        names.map((id) => [id, 'permit (principal, action, resource);']),
      ),
      rules: names.map((id) => ({ ...permit, id })),
    })
    const told = Array.from({ length: 20 }, () =>
      opinionOn(policies, () => asking, null)
        .rules.map(({ id }) => id)
        .join(),
    )
    expect(new Set(told)).toEqual(new Set([[...names].sort().join()]))
  })
})
