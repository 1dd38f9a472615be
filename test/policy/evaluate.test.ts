import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import { describe, expect, it } from 'vitest'
import type { Rule } from '../../src/domain/decision.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import type { Policies } from '../../src/policy/opinion.ts'
import { aSettled, IDS, NOW } from '../fakes/settled.ts'
import { aChain, type Asked, posed } from './world.ts'

const rule = (id: string, of: Partial<Rule> = {}): Rule => ({
  ...{ id, effect: 'forbid', says: `says ${id}`, asks: null, how: 'session', withinSeconds: 600 },
  ...of,
})
const RULES = [
  rule('may', { effect: 'permit' }),
  rule('never'),
  rule('ask-dba', { asks: 'dba' }),
  rule('ask-lead', { asks: 'lead', how: 'passkey', withinSeconds: 60 }),
]

/** Which rules apply to whom. `!` before a rule: its evaluation fails. */
type Applying = Readonly<Partial<Record<'Sponsor' | 'Agent', string>>>

/** Cedar in six lines: forbids beat permits, gates are lifted by a yes, and what fails is skipped. */
function policiesOf(applying: Applying): Policies {
  const byId = new Map(RULES.map((one) => [one.id, one]))
  const ruleOf = (id: string) => byId.get(id) ?? rule(id)
  return {
    rule: ruleOf,
    rulesFor: () => RULES,
    authorize({ principal, context }, by): AuthorizationAnswer {
      const words = applying[principal.type as 'Sponsor' | 'Agent']?.split(' ') ?? []
      if (words.includes('trap')) return { type: 'failure', errors: [], warnings: [] }
      const met = words.filter((id) => !id.startsWith('!') && id !== '').map(ruleOf)
      const forbids = met.filter(
        ({ effect, asks }) =>
          effect === 'forbid' && !(context['approved'] === true && asks !== null),
      )
      const permits = met.filter(({ effect }) => effect === 'permit')
      const isDenied = by === 'all' && forbids.length > 0
      const errors = words
        .filter((id) => id.startsWith('!'))
        .map((id) => ({
          policyId: id.slice(1),
          error: { message: '', help: null, code: null, url: null, severity: null },
        }))
      return {
        type: 'success',
        response: {
          decision: !isDenied && permits.length > 0 ? 'allow' : 'deny',
          diagnostics: { reason: (isDenied ? forbids : permits).map(({ id }) => id), errors },
        },
        warnings: [],
      }
    },
  }
}

const BINDINGS = { L2: 'binding-2', L3: 'binding-3' }
const { call } = aSettled('allow').decision

function answered(applying: Applying, how: Asked = {}) {
  const question = posed(aChain(how), call, how.approval)
  return evaluate(policiesOf(applying), question, BINDINGS)
}
const yes = (of: object = {}) => ({
  ...{ id: IDS.approval, bindingHash: 'binding-2', approvedUntil: new Date(NOW.getTime() + 1000) },
  asked: { rules: [], of: ['dba', 'lead'], level: 'L2' as const, withinSeconds: 600 },
  ...of,
})

describe('an answer', () => {
  it.each([
    ['allow', { Sponsor: 'may', Agent: 'may' }, { kind: 'allow' }],
    [
      'no rule permits the agent',
      { Sponsor: 'may' },
      { kind: 'deny', reason: 'no_permit', stoppedBy: { kind: 'agent', hop: 0 } },
    ],
    [
      'no rule permits the sponsor',
      { Agent: 'may' },
      { kind: 'deny', reason: 'no_permit', stoppedBy: { kind: 'sponsor', hop: null } },
    ],
    [
      'both are refused: the first is named',
      { Sponsor: 'may never', Agent: 'may never' },
      { kind: 'deny', reason: 'forbid', stoppedBy: { kind: 'sponsor' } },
    ],
    [
      'a forbid beats a permit',
      { Sponsor: 'may', Agent: 'may never' },
      { kind: 'deny', reason: 'forbid', detail: "forbid 'never' applied at hop 0: says never" },
    ],
    [
      'a gate asks',
      { Sponsor: 'may', Agent: 'may ask-dba' },
      { kind: 'ask', asked: { of: ['dba'], level: 'L2' } },
    ],
    [
      'a no beats an ask',
      { Sponsor: 'may ask-dba', Agent: 'may never' },
      { kind: 'deny', stoppedBy: { kind: 'agent' } },
    ],
    [
      'a gate and a hard no: no',
      { Sponsor: 'may', Agent: 'may never ask-dba' },
      { kind: 'deny', detail: "forbid 'never' applied at hop 0: says never" },
    ],
    [
      'a gate where nothing permits: no',
      { Sponsor: 'may', Agent: 'ask-dba' },
      { kind: 'deny', reason: 'no_permit', rules: [] },
    ],
    [
      'gates of all principals, together',
      { Sponsor: 'may ask-dba', Agent: 'may ask-lead' },
      { kind: 'ask', asked: { of: ['dba', 'lead'], level: 'L3', withinSeconds: 60 } },
    ],
    [
      'a failing rule is no answer, although a permit matched',
      { Sponsor: 'may', Agent: 'may !never' },
      { kind: 'none', code: 'policy_error', rules: [{ id: 'never' }] },
    ],
    [
      'a failing engine is no answer',
      { Sponsor: 'may', Agent: 'may trap' },
      { kind: 'none', code: 'policy_error' },
    ],
  ] as const)('[POL-01 POL-02 POL-03] %s', (_what, applying, answer) => {
    expect(answered(applying).answer).toMatchObject(answer)
  })

  it('[POL-03] of a rule that fails only once the gates are lifted is no answer', () => {
    const policies = policiesOf({ Sponsor: 'may', Agent: 'may ask-dba' })
    const failing: Policies = {
      ...policies,
      authorize: (asking, by) =>
        asking.context['approved'] === true
          ? { type: 'failure', errors: [], warnings: [] }
          : policies.authorize(asking, by),
    }
    const question = posed(aChain(), call)
    expect(evaluate(failing, question, BINDINGS).answer.kind).toBe('none')
  })

  it('is outside the authority before any rule is heard, and names the acting agent', () => {
    const how = { effective: { scopes: ['payments.refund'] } }
    const { answer, level } = answered({ Sponsor: 'may', Agent: 'may' }, how)
    expect(answer).toMatchObject({
      ...{ kind: 'deny', code: 'outside_authority', outcome: 'scope_not_granted' },
      stoppedBy: { hop: 0, kind: 'agent', id: IDS.agent },
    })
    expect(level).toBeNull()
  })

  it('says of every rule and principal how it came out', () => {
    const { verdicts, principals } = answered({ Sponsor: 'may', Agent: 'may never' })
    const said = (hop: number | null) =>
      verdicts
        .filter((one) => one.hop === hop)
        .map(({ rule: { id }, verdict }) => `${id} ${verdict}`)
    expect(said(null)).toEqual([
      'may satisfied',
      'never not_satisfied',
      'ask-dba not_satisfied',
      'ask-lead not_satisfied',
    ])
    expect(said(0)).toEqual([
      'may satisfied',
      'never satisfied',
      'ask-dba not_satisfied',
      'ask-lead not_satisfied',
    ])
    expect(principals.map(({ kind, answer }) => [kind, answer])).toEqual([
      ['sponsor', 'allow'],
      ['agent', 'deny'],
    ])
  })
})

describe('a yes', () => {
  const gated = { Sponsor: 'may', Agent: 'may ask-dba' }

  it('lifts the gates of exactly what it was given for, and is named by the answer', () => {
    const { answer, level, approval } = answered(gated, { approval: yes() })
    expect([answer.kind, level, approval]).toEqual(['allow', 'L2', IDS.approval])
  })

  it.each([
    ['to another call', yes({ bindingHash: 'another' })],
    ['that has run out', yes({ approvedUntil: NOW })],
    ['of people who are no longer those asked', yes({ asked: { ...yes().asked, of: ['lead'] } })],
  ])('%s lifts nothing', (_what, approval) => {
    expect(answered(gated, { approval }).answer.kind).toBe('ask')
  })

  it('by session does not lift a gate that asks for a passkey', () => {
    const passkey = { Sponsor: 'may', Agent: 'may ask-lead' }
    expect(answered(passkey, { approval: yes() }).answer.kind).toBe('ask')
    const bound = yes({ bindingHash: 'binding-3' })
    expect(answered(passkey, { approval: bound })).toMatchObject({
      level: 'L3',
      answer: { kind: 'allow' },
    })
  })

  it('is not used where nothing asks, and lifts no hard no, no missing permit and no authority', () => {
    const approval = yes()
    expect(answered({ Sponsor: 'may', Agent: 'may' }, { approval })).toMatchObject({
      approval: null,
      level: 'L1',
    })
    for (const Agent of ['may never', 'may never ask-dba', 'ask-dba', '', 'may !never']) {
      expect(answered({ Sponsor: 'may', Agent }, { approval }).answer.kind).not.toBe('allow')
    }
    const how = { approval, effective: { scopes: ['x.y'] } }
    expect(answered(gated, how).answer).toMatchObject({ code: 'outside_authority' })
  })
})
