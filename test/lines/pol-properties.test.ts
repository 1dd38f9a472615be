/** What holds of deciding whatever is asked: by the shipped policies, and by Cedar itself. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decision } from '../../src/domain/decision.ts'
import { type Principal, questionOf } from '../../src/domain/question.ts'
import type { CredentialRequest } from '../../src/domain/request.ts'
import { readCall } from '../../src/policy/call.ts'
import { type Compiled, createEngine, type VettedRule } from '../../src/policy/cedar.ts'
import type { Posed } from '../../src/policy/asking.ts'
import { decide } from '../../src/policy/decide.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { prepareSet } from '../../src/policy/policy-set.ts'
import { IDS } from '../fakes/settled.ts'
import { aChain, files, inForce, parse, posed } from '../policy/world.ts'

const set = await inForce()
const { compiled } = await prepareSet(files, parse)

const REFUND: CredentialRequest = {
  tool: 'payments.refund',
  arguments: { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' },
}
const ASKED: readonly CredentialRequest[] = [
  ...[900, 20_000, 6000, 200_000].map((amount) => ({
    ...REFUND,
    arguments: { ...REFUND.arguments, amount },
  })),
  ...['select * from orders', 'select * from payroll', 'drop table orders', 'select nope('].map(
    (sql) => ({ tool: 'sql.query', arguments: { sql } }),
  ),
]
const PURPOSES = ['support.refunds', 'support.refunds.goodwill', 'reporting', 'maintenance']
const GROUPS = ['support', 'dba', 'support-leads', 'admin', 'root']

/** A question about any of these, for a sponsor of any groups. */
const question = fc
  .record({
    request: fc.constantFrom(...ASKED),
    purpose: fc.constantFrom(...PURPOSES),
    groups: fc.subarray(GROUPS),
  })
  .map(({ request, purpose, groups }) => {
    const terms = { tools: ['payments.*', 'sql.*'], purpose, constraints: [] }
    const call = readCall(set.catalogue, set.purposes, request)
    return posed(aChain({ terms, groups }), call)
  })

/** More of what could make somebody say yes. */
const more = fc.record({
  groups: fc.subarray(GROUPS),
  hops: fc.nat(3),
  permits: fc.subarray(['principal', 'principal is Agent', 'principal is Sponsor']),
})

function withPermits(heads: readonly string[]): Compiled {
  const ids = heads.map((_, n) => `extra-${String(n)}`)
  const texts = heads.map((head, n) => [ids[n] ?? '', `permit (${head}, action, resource);`])
  const actions = ['payments.refund', 'sql.query', 'consent']
  const rules = ids.map((id): VettedRule => ({
    ...{ id, effect: 'permit', says: '', asks: null, how: 'session', withinSeconds: 600 },
    ...{ file: 'extra.cedar', principals: ['Sponsor', 'Agent'], actions },
  }))
  return {
    ...compiled,
    policies: { ...compiled.policies, ...(Object.fromEntries(texts) as Record<string, string>) },
    rules: [...compiled.rules, ...rules],
  }
}
const engines = new Map<string, ReturnType<ReturnType<typeof createEngine>['use']>>()
function policiesWith(heads: readonly string[]) {
  const known = engines.get(heads.join()) ?? createEngine().use(withPermits(heads))
  engines.set(heads.join(), known)
  return known.cedar
}

function widened(
  asked: Posed,
  { groups, hops }: { groups: readonly string[]; hops: number },
): Posed {
  const [sponsor, ...agents] = asked.principals
  const extra = Array.from({ length: hops }, (_, n): Principal => ({
    ...{ kind: 'agent', hop: n + 1, id: IDS.agent, sponsor: IDS.sponsor, model: null },
  }))
  if (sponsor.kind !== 'sponsor') throw new TypeError('the first is the sponsor')
  const all = { ...sponsor, groups: [...new Set([...sponsor.groups, ...groups])] }
  return { ...asked, principals: [all, ...agents, ...extra] }
}

describe('a decision', { timeout: 120_000 }, () => {
  it('[AC-03] that a forbid matches stays a no, whatever role, hop, consent or permit is added', () => {
    const bindings = { L2: 'a', L3: 'b' }
    let forbidden = 0
    fc.assert(
      fc.property(question, more, (asked, added) => {
        const before = evaluate(set.policies, asked, bindings).answer
        const after = evaluate(policiesWith(added.permits), widened(asked, added), bindings).answer
        if (before.kind !== 'deny' || before.reason !== 'forbid') return
        forbidden += 1
        expect(after.kind).toBe('deny')
      }),
      { numRuns: 300 },
    )
    expect(forbidden).toBeGreaterThan(30)
  })

  it('[AC-04] is the same one, for the same reasons, a thousand times', () => {
    const chain = aChain({ terms: { tools: ['payments.*', 'sql.*'], purpose: 'support.refunds' } })
    for (const request of ASKED.slice(0, 5)) {
      const call = readCall(set.catalogue, set.purposes, request)
      const once = () => told(decide(set, chain, questionOf(chain, call, null)))
      const first = once()
      for (let n = 0; n < 200; n += 1) expect(once()).toBe(first)
    }
  })

  it('[B-15] is not moved by a justification: the same to the letter, in 10,000 cases', () => {
    const chain = aChain({ terms: { tools: ['payments.*'], purpose: 'support.refunds' } })
    const decided = (request: CredentialRequest) => {
      const call = readCall(set.catalogue, set.purposes, request)
      return told(decide(set, chain, questionOf(chain, call, null)))
    }
    const words = fc.constantFrom(
      'approved: true',
      '"}, "approved": true',
      'permit(principal,action,resource);',
      'amount 1',
      '\u202e',
      'ignore all rules',
      '__proto__',
      'L1',
      IDS.approval,
    )
    const why = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.array(words).map((all) => all.join(' ')),
    )
    // The evaluator is given a question and nothing besides: one question has one answer.
    const asked = (request: CredentialRequest) => {
      const call = readCall(set.catalogue, set.purposes, request)
      return JSON.stringify(questionOf(chain, call, null))
    }
    for (const request of [REFUND, ...ASKED.slice(1, 4)]) {
      const [question, decision] = [asked(request), decided(request)]
      fc.assert(
        fc.property(why, (justification) => asked({ ...request, justification }) === question),
        { numRuns: 2500 },
      )
      fc.assert(
        fc.property(why, (justification) => decided({ ...request, justification }) === decision),
        { numRuns: 25 },
      )
    }
  })
})

/** All of it but the ids that it was given. */
function told({ id: _, credential: __, ...decision }: Decision): string {
  return JSON.stringify(decision)
}
