import { describe, expect, it } from 'vitest'
import type { Rule } from '../../src/domain/decision.ts'
import type { Asking } from '../../src/policy/asking.ts'
import {
  compiledIfAny,
  type Judgement,
  opinionOn,
  type Policies,
} from '../../src/policy/opinion.ts'

const rule = (id: string, asks: string | null = null): Rule => ({
  ...{ id, effect: 'forbid', says: `says ${id}`, asks, how: 'session', withinSeconds: 600 },
})
const RULES = [rule('a'), rule('b'), rule('gate', 'dba'), rule('late-gate', 'lead')]

/** What is answered before a yes, after one, and by those that permit alone. */
interface Answers {
  readonly now: Judgement
  readonly lifted?: Judgement
  readonly permits?: Judgement
}
type Said = 'allow' | 'deny'
const saying = (decision: Said, reason: string[] = [], failed: string[] = []): Judgement => ({
  type: 'success',
  response: {
    decision,
    diagnostics: {
      reason,
      errors: failed.map((policyId) => ({
        policyId,
        error: { message: '', help: null, code: null, url: null, severity: null },
      })),
    },
  },
  warnings: [],
})
const TRAP: Judgement = { type: 'failure', errors: [], warnings: [] }

function looked(answers: Answers) {
  const asked: string[] = []
  const policies: Policies = {
    rule: (id) => RULES.find((one) => one.id === id) ?? rule(id),
    rulesFor: () => RULES,
    authorize({ context }, by) {
      const which = by === 'permits' ? 'permits' : context['approved'] === true ? 'lifted' : 'now'
      asked.push(which)
      const found = answers[which]
      if (found === undefined) throw new Error(`nobody was to ask about ${which}`)
      return found
    },
  }
  const asking = (approved: boolean) => ({ context: { approved } }) as unknown as Asking
  const { kind, rules, permits, verdicts, evaluator } = opinionOn(policies, asking, 3)
  const ids = (of: readonly Rule[]) => of.map(({ id }) => id)
  const said = Object.fromEntries(verdicts.map(({ rule: { id }, verdict }) => [id, verdict]))
  expect(verdicts.every(({ hop }) => hop === 3)).toBe(true)
  return { kind, rules: ids(rules), permits: ids(permits), said, asked, evaluator }
}
const none = {
  a: 'not_satisfied',
  b: 'not_satisfied',
  gate: 'not_satisfied',
  'late-gate': 'not_satisfied',
}

describe('an opinion', () => {
  it('is an allow, by the rules that permit, after one look', () => {
    expect(looked({ now: saying('allow', ['b', 'a']) })).toEqual({
      ...{ kind: 'allow', rules: ['a', 'b'], permits: ['a', 'b'], asked: ['now'] },
      ...{ said: { ...none, a: 'satisfied', b: 'satisfied' }, evaluator: 'cedar-wasm' },
    })
  })

  it('is that nothing permits it, where nothing forbids it either', () => {
    expect(looked({ now: saying('deny') })).toMatchObject({
      ...{ kind: 'no_permit', rules: [], permits: [], asked: ['now'], said: none },
    })
  })

  it('is an ask, where a yes alone would lift what stops it', () => {
    const answers = { now: saying('deny', ['gate']), lifted: saying('allow', ['a']) }
    expect(looked(answers)).toMatchObject({
      ...{ kind: 'ask', rules: ['gate'], permits: ['a'], asked: ['now', 'lifted'] },
      said: { ...none, a: 'satisfied', gate: 'satisfied' },
    })
  })

  it('is that nothing permits it, where nothing would once the gates are lifted', () => {
    const answers = { now: saying('deny', ['gate']), lifted: saying('deny') }
    expect(looked(answers)).toMatchObject({ kind: 'no_permit', rules: [], permits: [] })
  })

  it('is a forbid, where another stands behind the gates, and names those that stop it now', () => {
    const answers = {
      ...{ now: saying('deny', ['gate']), lifted: saying('deny', ['b']) },
      permits: saying('allow', ['a']),
    }
    expect(looked(answers)).toMatchObject({
      ...{ kind: 'forbid', rules: ['gate'], permits: ['a'], asked: ['now', 'lifted', 'permits'] },
    })
  })

  it('is a forbid, where not only gates stop it, and no yes is tried', () => {
    const answers = { now: saying('deny', ['gate', 'b']), permits: saying('deny') }
    expect(looked(answers)).toMatchObject({
      ...{ kind: 'forbid', rules: ['b', 'gate'], permits: [], asked: ['now', 'permits'] },
    })
  })

  it.each<[string, Answers, string[]]>([
    ['a rule fails beside an allow', { now: saying('allow', ['a'], ['b']) }, ['b']],
    ['a rule fails beside a deny', { now: saying('deny', ['a'], ['b']) }, ['b']],
    ['the engine fails', { now: TRAP }, ['a', 'b', 'gate', 'late-gate']],
    [
      'a rule fails once the gates are lifted',
      { now: saying('deny', ['gate']), lifted: saying('allow', ['a'], ['b']) },
      ['b'],
    ],
  ])('[POL-03] is an error, and no answer, where %s', (_what, answers, failed) => {
    const { kind, rules, permits, said } = looked(answers)
    expect([kind, rules, permits]).toEqual(['error', failed, []])
    const errors = Object.entries(said).filter(([, verdict]) => verdict === 'error')
    expect(errors.map(([id]) => id)).toEqual(failed)
  })

  it('rests on compiled rules if any look did', () => {
    const compiled = (of: Judgement): Judgement => ({ ...of, evaluator: 'compiled' })
    expect(looked({ now: compiled(saying('allow', ['a'])) }).evaluator).toBe('compiled')
    const [now, lifted] = [saying('deny', ['gate']), saying('allow', ['a'])]
    expect(looked({ now, lifted }).evaluator).toBe('cedar-wasm')
    expect(looked({ now, lifted: compiled(lifted) }).evaluator).toBe('compiled')
    expect(looked({ now: compiled(now), lifted }).evaluator).toBe('compiled')
    const permits = compiled(saying('deny'))
    expect(looked({ now: saying('deny', ['b']), permits }).evaluator).toBe('compiled')
    expect(looked({ now: compiled(TRAP) }).evaluator).toBe('compiled')
    expect(compiledIfAny([])).toBe('cedar-wasm')
  })
})
