import { describe, expect, it } from 'vitest'
import { questionOf } from '../../src/domain/question.ts'
import { readCall } from '../../src/policy/call.ts'
import { decide } from '../../src/policy/decide.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { inputFrom } from '../../src/policy/snapshot.ts'
import { aChain, files, inForce } from './world.ts'

const declared = (name: string, more = '') =>
  [
    `name: ${name}`,
    'title: Admin',
    'target: payments',
    'connector: jwt',
    'groups: [payments]',
    'risk: high',
    'sender_constraint: dpop',
    'arguments: { type: object, required: [reason], properties: { reason: { type: string, maxLength: 64 } } }',
    'facts: { kind: arguments, fields: { reason: reason } }',
    'grant: { audience: "https://payments.example" }',
    more,
  ].join('\n')

const RULES = `
@id("canaries-are-tempting")
permit (principal, action == Action::"vault.admin1", resource);

@id("not-for-fun")
@say("not for fun")
forbid (principal, action in [Action::"vault.admin1", Action::"vault.admin2"], resource)
when { context.facts.reason == "fun" };

@id("sometimes-asked")
@ask("dba") @how("session") @within("5m")
@say("a person has to look")
forbid (principal, action in [Action::"vault.admin1", Action::"vault.admin2"], resource)
when { context.facts.reason == "ask" }
unless { context.approved };
`

const set = await inForce({
  ...files,
  'tools/vault.admin1.yaml': declared('vault.admin1', 'canary: true'),
  'tools/vault.admin2.yaml': declared('vault.admin2'),
  'canary.cedar': RULES,
})

function decided(tool: string, reason: string, tools = ['vault.*']) {
  const chain = aChain({ terms: { tools, purpose: 'reporting' } })
  const call = readCall(set.catalogue, set.purposes, { tool, arguments: { reason } })
  return decide(set, chain, questionOf(chain, call, null))
}

describe('a tool that is a canary', () => {
  it.each(['anything', 'fun', 'ask'])(
    '[CB-46] is answered as one that no rule permits, whatever the rules say of it (%s)',
    (reason) => {
      const canary = decided('vault.admin1', reason)
      const ordinary = decided('vault.admin2', reason)
      expect(canary.answer).toMatchObject({ kind: 'deny', code: 'access_denied', isCanary: true })
      const { isCanary, ...told } = { isCanary: undefined, ...canary.answer }
      expect(isCanary).toBe(true)
      const renamed = (it: object) => JSON.stringify(it).replaceAll('vault.admin1', 'vault.admin2')
      expect(renamed(told)).toBe(renamed(ordinary.answer))
      expect([canary.level, canary.grant, canary.debits]).toEqual([null, null, []])
      expect(canary.principals).toEqual(ordinary.principals)
      const satisfied = ({ verdicts }: typeof canary) =>
        verdicts.flatMap(({ rule, verdict }) => (verdict === 'not_satisfied' ? [] : [rule.id]))
      expect(satisfied(canary)).toEqual(satisfied(ordinary))
    },
  )

  it('stays outside of an authority that does not name it, and that is no sign of anything', () => {
    const { answer } = decided('vault.admin1', 'anything', ['sql.query'])
    expect(answer).toMatchObject({ kind: 'deny', code: 'outside_authority' })
    expect(answer).not.toHaveProperty('isCanary')
  })

  it('leaves no mark in what is sealed, and is decided again as it was', () => {
    const { snapshot, answer } = decided('vault.admin1', 'anything')
    expect(JSON.stringify(snapshot)).not.toMatch(/canary/i)
    const { question, bindings } = inputFrom(snapshot, set)
    expect(evaluate(set.policies.cedar, question, bindings).answer).toEqual(answer)
  })

  it('changes the hash of no other tool', async () => {
    const before = await inForce()
    const hashOf = ({ catalogue }: typeof set) => catalogue.get('sql.query')?.tool.hash
    expect(hashOf(set)).toBe(hashOf(before))
    expect(set.catalogue.get('vault.admin2')?.tool).not.toHaveProperty('isCanary')
  })
})
