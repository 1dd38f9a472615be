import { describe, expect, it } from 'vitest'
import type { Chain } from '../../src/domain/chain.ts'
import type { Terms } from '../../src/domain/consent.ts'
import type { Constraint } from '../../src/domain/constraint.ts'
import type { Rule } from '../../src/domain/decision.ts'
import type { Principal } from '../../src/domain/question.ts'
import { at, demandOf, forbidden, stoppedBy } from '../../src/policy/evaluate.ts'
import { leaseSeconds, secondsLeft } from '../../src/policy/lifetime.ts'
import { aSettled, IDS, NOW } from '../fakes/settled.ts'

const rule = (id: string, of: Partial<Rule> = {}): Rule => ({
  ...{ id, effect: 'forbid', says: `says ${id}`, asks: null, how: 'session', withinSeconds: 600 },
  ...of,
})
const agent: Principal = {
  ...{ kind: 'agent', hop: 2, id: IDS.agent, sponsor: IDS.sponsor, model: null },
}
const sponsor: Principal = { kind: 'sponsor', hop: null, id: IDS.sponsor, groups: ['staff'] }

describe('what a denial tells', () => {
  it('is the rule that no yes lifts, before any gate', () => {
    const gate = rule('gate', { asks: 'dba' })
    expect(forbidden([gate, rule('never')], agent)).toBe(
      "forbid 'never' applied at hop 2: says never",
    )
    expect(forbidden([rule('never'), gate], sponsor)).toBe(
      "forbid 'never' applied for the sponsor: says never",
    )
    expect(forbidden([gate, rule('gate-2', { asks: 'lead' })], agent)).toContain("'gate'")
    expect(forbidden([rule('never'), rule('never-2')], agent)).toContain("'never'")
    expect(forbidden([gate], agent)).toBe("forbid 'gate' applied at hop 2: says gate")
    expect(forbidden([], agent)).toBe("forbid '' applied at hop 2: ")
  })

  it('is where it stopped, and whom, and nothing else of them', () => {
    expect([at(agent), at(sponsor), at({ ...agent, hop: 0 })]).toEqual([
      ...['at hop 2', 'for the sponsor', 'at hop 0'],
    ])
    expect(stoppedBy(agent)).toEqual({ hop: 2, kind: 'agent', id: IDS.agent })
    expect(stoppedBy(sponsor)).toEqual({ hop: null, kind: 'sponsor', id: IDS.sponsor })
  })
})

describe('what gates ask for together', () => {
  it('is somebody of each group, once, in the stricter way and by the sooner end', () => {
    const gates = [
      rule('one', { asks: 'dba', withinSeconds: 90 }),
      rule('two', { asks: 'lead', withinSeconds: 60 }),
      rule('three', { asks: 'dba', withinSeconds: 120 }),
      rule('four'),
    ]
    expect(demandOf(gates)).toEqual({
      ...{ rules: ['one', 'two', 'three', 'four'], of: ['dba', 'lead'], level: 'L2' },
      withinSeconds: 60,
    })
    expect(demandOf([...gates, rule('five', { how: 'passkey' })]).level).toBe('L3')
  })
})

describe('a lease', () => {
  const { call, chain: settled } = aSettled('allow').decision
  const long = { ...call, ttlSeconds: 900, tool: { ...call.tool, ttlSecondsMax: 800 } }
  const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)
  const ending = (terms: Partial<Terms>, ...constraints: Constraint[]): Chain => ({
    ...settled,
    consent: { ...settled.consent, terms: { ...settled.consent.terms, ...terms } },
    effective: { ...settled.effective, constraints },
  })
  const terms = { maxTtlSeconds: 700, expiresAt: later(650.9) }
  const chain = ending(terms, { key: 'ttl_seconds', max: 600 })
  const free = ending(terms)
  const [hop] = chain.hops

  it('is bounded by each thing alone', () => {
    expect(leaseSeconds(chain, long, NOW)).toBe(600)
    expect(leaseSeconds(free, long, NOW)).toBe(650)
    expect(leaseSeconds(free, { ...long, ttlSeconds: 20 }, NOW)).toBe(20)
    const tool = { ...long.tool, ttlSecondsMax: 30 }
    expect(leaseSeconds(free, { ...long, tool }, NOW)).toBe(30)
    expect(leaseSeconds(ending({ maxTtlSeconds: 40 }), long, NOW)).toBe(40)
  })

  it('is bounded by the end of the hop that acts, but at depth 0 not by that of the session', () => {
    const at = (depth: number) => ({
      ...free,
      hops: [{ ...hop, depth, expiresAt: later(50) }] as const,
    })
    expect(leaseSeconds(at(0), long, NOW)).toBe(650)
    expect(leaseSeconds(at(1), long, NOW)).toBe(50)
  })

  it('has whole seconds left, and below none where its end is past', () => {
    expect(
      [later(1.999), later(1), later(0.999), NOW, later(-0.5)].map((end) => secondsLeft(end, NOW)),
    ).toEqual([...[1, 1, 0, 0, -1]])
  })
})
