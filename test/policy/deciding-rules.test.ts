import { describe, expect, it } from 'vitest'
import { bindingHash, requestHash } from '../../src/domain/binding.ts'
import type { Chain } from '../../src/domain/chain.ts'
import { digestOf } from '../../src/domain/digest.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { questionOf } from '../../src/domain/question.ts'
import type { ToolCall } from '../../src/domain/tool.ts'
import { decide } from '../../src/policy/decide.ts'
import type { InForce } from '../../src/policy/policy-set.ts'
import { IDS, NOW } from '../fakes/settled.ts'
import { aYes, type Applying, call, chain, deeper, simplePolicies } from './simple-rules.ts'

const ROLES = {
  'public.orders': { read: 'orders_read', write: 'orders_write', own: 'orders_owner' },
}
const GRANT = { roles: ROLES, read_only: 'unless_written', statement_timeout_ms: 9000 }
const sql = (facts: JsonObject, grant: JsonObject = GRANT): ToolCall => ({
  ...call,
  facts,
  tool: { ...call.tool, grant },
})
const reading = sql({ verbs: ['select'], tables: ['public.orders'], writes: [] })
const MAY: Applying = { Sponsor: ['may'], Agent: ['may'] }

function setOf(applying: Applying, tool = reading.tool): InForce {
  const set = {
    ...{ hash: 'set', schemaHash: 'schema', epoch: 7, policies: simplePolicies(applying) },
    catalogue: new Map([[tool.name, { tool }]]),
    purposes: new Map(),
  }
  return set as unknown as InForce
}
const decided = (
  applying: Applying,
  of: { chain?: Chain; call?: ToolCall; yes?: ReturnType<typeof aYes> } = {},
) => {
  const [along, what] = [of.chain ?? chain, of.call ?? reading]
  return decide(setOf(applying, what.tool), along, questionOf(along, what, of.yes ?? null))
}

describe('a decision', () => {
  it('of an allow is what it gives and takes, and all that it rests on, by hash', () => {
    const made = decided(MAY)
    expect(made).toMatchObject({
      ...{ answer: { kind: 'allow' }, level: 'L1', approval: null, ttlSeconds: 60 },
      ...{ chain, call: reading, purpose: 'support', policySetHash: 'set', policyEpoch: 7 },
      ...{ schemaHash: 'schema', evaluator: 'cedar-wasm' },
      requestHash: requestHash(chain, reading),
      bindingHash: bindingHash(chain, reading, 'L2'),
      contextHash: digestOf(made.snapshot),
      grant: {
        ...{ target: 'orders', connector: 'postgres', ttlSeconds: 60, senderConstraint: 'none' },
        permissions: { roles: ['orders_read'], read_only: true },
      },
      debits: [{ account: IDS.consent, key: 'calls', type: 'max_subtree', amount: 1 }],
    })
    expect([made.id.slice(0, 4), made.credential.slice(0, 4)]).toEqual(['dec_', 'crd_'])
    expect(made.snapshot).toMatchObject({ ttl_seconds: 60, asked_ttl_seconds: 60 })
  })

  it('lasts no longer than what it rests on, and rules see that', () => {
    const long = { ...reading, ttlSeconds: 900 }
    const made = decided(MAY, { call: long })
    expect([made.ttlSeconds, made.grant?.ttlSeconds, made.snapshot['ttl_seconds']]).toEqual([
      ...[300, 300, 300],
    ])
  })

  it('[POL-11] is of the version of the tool that is in force, or none', () => {
    const set = setOf(MAY)
    const question = questionOf(chain, reading, null)
    const stale = expect.objectContaining({
      code: 'decision_stale',
      shown: { reason: 'policy_epoch' },
    }) as Error
    const other = { ...question, call: { ...reading, tool: { ...reading.tool, hash: 'other' } } }
    expect(() => decide(set, chain, other)).toThrow(stale)
    const gone = { ...question, call: { ...reading, tool: { ...reading.tool, name: 'x.y' } } }
    expect(() => decide(set, chain, gone)).toThrow(stale)
    expect(decide(set, chain, question).answer.kind).toBe('allow')
  })

  it('of less than a second gives nothing, and says that all it would rest on is over', () => {
    const terms = { ...chain.consent.terms, expiresAt: new Date(NOW.getTime() + 999) }
    const made = decided(MAY, { chain: { ...chain, consent: { ...chain.consent, terms } } })
    expect(made).toMatchObject({ grant: null, debits: [], ttlSeconds: 0, level: null })
    expect(made.answer).toEqual({
      ...{ kind: 'deny', code: 'chain_invalid', outcome: 'expired', rules: [] },
      stoppedBy: { hop: null, kind: 'consent', id: IDS.consent },
      detail: 'less than a second is left of what it would rest on',
    })
    const second = { ...terms, expiresAt: new Date(NOW.getTime() + 1000) }
    expect(
      decided(MAY, { chain: { ...chain, consent: { ...chain.consent, terms: second } } }),
    ).toMatchObject({
      ...{ ttlSeconds: 1, grant: { ttlSeconds: 1 } },
    })
  })

  it('that nothing is prepared for is a no to the agent that acts, and to no other', () => {
    const writing = sql({ verbs: ['insert'], tables: ['public.other'], writes: [] })
    const made = decided(MAY, { chain: deeper, call: writing })
    expect(made).toMatchObject({ grant: null, debits: [], level: null, approval: null })
    expect(made.answer).toEqual({
      ...{ kind: 'deny', code: 'access_denied', reason: 'no_permit', rules: [] },
      stoppedBy: { hop: 1, kind: 'agent', id: 'agt_leaf' },
      detail: 'no role is prepared to read public.other',
    })
    expect(made.principals.map(({ answer }) => answer)).toEqual(['allow', 'allow', 'deny'])
  })

  it('that asks gives and takes nothing, and is bound at the level that it asks for', () => {
    const asking = decided({ ...MAY, Agent: ['may', 'ask-dba'] })
    expect(asking).toMatchObject({ answer: { kind: 'ask' }, grant: null, debits: [], level: 'L2' })
    expect(asking.bindingHash).toBe(bindingHash(chain, reading, 'L2'))
    const passkey = decided({ ...MAY, Agent: ['may', 'ask-lead'] })
    expect([passkey.level, passkey.bindingHash]).toEqual(['L3', bindingHash(chain, reading, 'L3')])
  })

  it('on a yes lasts no longer than the yes', () => {
    const applying = { ...MAY, Agent: ['may', 'ask-dba'] }
    const bound = { bindingHash: bindingHash(chain, reading, 'L2') }
    const until = (seconds: number) =>
      decided(applying, {
        yes: aYes({ ...bound, approvedUntil: new Date(NOW.getTime() + seconds * 1000) }),
      })
    expect(until(30.9)).toMatchObject({
      approval: IDS.approval,
      level: 'L2',
      grant: { ttlSeconds: 30 },
    })
    expect(until(90)).toMatchObject({ grant: { ttlSeconds: 60 }, ttlSeconds: 60 })
    expect(until(0.5)).toMatchObject({
      answer: { outcome: 'expired' },
      grant: null,
      approval: null,
    })
    // Not used, a yes bounds nothing.
    const yes = aYes({ ...bound, approvedUntil: new Date(NOW.getTime() + 5000) })
    expect(decided(MAY, { yes })).toMatchObject({ approval: null, grant: { ttlSeconds: 60 } })
  })
})

describe('what an answer is made of', () => {
  it.each<[string, Applying, object]>([
    [
      'nothing permits the agent',
      { Sponsor: ['may'] },
      {
        kind: 'deny',
        reason: 'no_permit',
        stoppedBy: { hop: 0 },
        detail: 'no rule permits sql.query at hop 0',
      },
    ],
    [
      'nothing permits the sponsor',
      { Agent: ['may'] },
      {
        kind: 'deny',
        reason: 'no_permit',
        stoppedBy: { hop: null },
        detail: 'no rule permits sql.query for the sponsor',
      },
    ],
    [
      'both are refused',
      { Sponsor: ['never'], Agent: ['never'] },
      { kind: 'deny', reason: 'forbid', stoppedBy: { kind: 'sponsor', hop: null } },
    ],
    [
      'a no after an ask',
      { Sponsor: ['may', 'ask-dba'], Agent: ['may', 'never'] },
      { kind: 'deny', stoppedBy: { hop: 0 } },
    ],
    [
      'an engine that fails',
      { Sponsor: ['may'], Agent: ['trap'] },
      { kind: 'none', code: 'policy_error', input: 'policy', stoppedBy: { hop: 0 } },
    ],
    [
      'two asks',
      { Sponsor: ['may', 'ask-dba'], Agent: ['may', 'ask-lead', 'ask-dba'] },
      {
        kind: 'ask',
        asked: {
          rules: ['ask-dba', 'ask-lead'],
          of: ['dba', 'lead'],
          level: 'L3',
          withinSeconds: 60,
        },
      },
    ],
    [
      'the rules that permit, each once',
      { Sponsor: ['may'], Agent: ['also-may', 'may'] },
      { kind: 'allow', rules: [{ id: 'may' }, { id: 'also-may' }] },
    ],
  ])('[POL-01] [POL-02] [POL-03] %s', (_what, applying, answer) => {
    const made = decided(applying)
    expect(made.answer).toMatchObject(answer)
    expect(made.approval).toBeNull()
    if (made.answer.kind !== 'allow' && made.answer.kind !== 'ask') expect(made.level).toBeNull()
  })

  it('is one for each of the chain, and every rule is told how it came out for each', () => {
    const { principals, verdicts } = decided(
      { Sponsor: ['may'], Agent: ['may', 'ask-dba'] },
      { chain: deeper },
    )
    expect(principals.map(({ hop, answer }) => [hop, answer])).toEqual([
      ...[
        [null, 'allow'],
        [0, 'ask'],
        [1, 'ask'],
      ],
    ])
    expect(verdicts.map(({ hop }) => hop)).toEqual(
      [null, 0, 1].flatMap((hop) => Array<number | null>(5).fill(hop)),
    )
  })

  it('is outside what was handed down, whatever rules say, and the last of the chain is refused', () => {
    const outside = { ...deeper, effective: { ...deeper.effective, scopes: ['x.y'] } }
    expect(decided({ Sponsor: ['never'] }, { chain: outside }).answer).toEqual({
      ...{ kind: 'deny', code: 'outside_authority', rules: [], outcome: 'scope_not_granted' },
      ...{ stoppedBy: { hop: 1, kind: 'agent', id: 'agt_leaf' }, field: 'scopes' },
      detail: 'sql.query is not among the tools that were handed down',
    })
  })

  it.each([
    ['to another call', { bindingHash: 'another' }],
    ['that ends at this moment', { approvedUntil: NOW }],
    ['of others than are asked now', { asked: { ...aYes().asked, of: ['lead'] } }],
    ['at another level', { bindingHash: bindingHash(chain, reading, 'L3') }],
  ])('is not changed by a yes %s', (_what, of) => {
    const applying = { ...MAY, Agent: ['may', 'ask-dba'] }
    const fitting = { bindingHash: bindingHash(chain, reading, 'L2') }
    expect(decided(applying, { yes: aYes(fitting) }).answer.kind).toBe('allow')
    expect(decided(applying, { yes: aYes({ ...fitting, ...of }) }).answer.kind).toBe('ask')
  })

  it('[POL-02] is not changed by a yes of some of those who are asked, and not of all', () => {
    const applying = { ...MAY, Agent: ['may', 'ask-dba', 'ask-lead'] }
    const bound = { bindingHash: bindingHash(chain, reading, 'L3') }
    const by = (...of: string[]) =>
      decided(applying, { yes: aYes({ ...bound, asked: { ...aYes().asked, of } }) }).answer.kind
    expect(by('dba', 'lead')).toBe('allow')
    expect([by('dba'), by('lead'), by('other'), by()]).toEqual(['ask', 'ask', 'ask', 'ask'])
  })
})
