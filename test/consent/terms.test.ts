import { describe, expect, it } from 'vitest'
import type { Terms } from '../../src/domain/consent.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { checkExpiry, checkTerms } from '../../src/consent/terms.ts'
import { aConsent, NOW } from '../fakes/settled.ts'

const vocabulary = {
  isPurpose: (purpose: string) => purpose.toLowerCase().startsWith('support'),
  isDeclared: (scope: string) => scope.startsWith('crm.'),
}
const fitting: Terms = { ...aConsent().terms, tools: ['crm.read'], purpose: 'support' }
const names = (count: number) => Array.from({ length: count }, (_, at) => `crm.t${String(at)}`)

/** `accepted`, or what a sponsor is told. */
function said(check: () => void): string {
  try {
    check()
    return 'accepted'
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    const [{ pointer, rule } = { pointer: '', rule: '' }] = error.shown.errors ?? []
    return `${error.code} ${pointer} ${rule}`
  }
}
const saidOf = (terms: Partial<Terms>) =>
  said(() => {
    checkTerms({ ...fitting, ...terms }, vocabulary)
  })

describe('terms', () => {
  it.each<[string, Partial<Terms>]>([
    ['one tool, and 64', { tools: names(64) }],
    ['all tools below a name', { tools: ['crm.*', 'crm.read'] }],
    ['the least of everything', { maxUses: 1, maxHops: 0, maxTtlSeconds: 1 }],
    ['the most of everything', { maxUses: 1_000_000, maxHops: 7, maxTtlSeconds: 3600 }],
    ['a purpose below another', { purpose: 'support.refunds' }],
    ['a bound', { constraints: [{ key: 'args.a', max: 5 }] }],
  ])('[CON-07] may state %s', (_what, terms) => {
    expect(saidOf(terms)).toBe('accepted')
  })

  it.each<[string, Partial<Terms>, string]>([
    ['no tool', { tools: [] }, 'schema_violation /tools 1 to 64'],
    ['65 tools', { tools: names(65) }, 'schema_violation /tools 1 to 64'],
    ['every tool', { tools: ['crm.read', '*'] }, 'schema_violation /tools/1 scope'],
    ['a word for a tool', { tools: ['crm'] }, 'schema_violation /tools/0 scope'],
    ['a tool twice', { tools: ['crm.a', 'crm.b', 'crm.a'] }, 'schema_violation /tools/2 unique'],
    ['no use', { maxUses: 0 }, 'schema_violation /max_uses 1 to 1000000'],
    ['too many uses', { maxUses: 1_000_001 }, 'schema_violation /max_uses 1 to 1000000'],
    ['half a use', { maxUses: 1.5 }, 'schema_violation /max_uses 1 to 1000000'],
    ['uses without a number', { maxUses: Number.NaN }, 'schema_violation /max_uses 1 to 1000000'],
    ['hops below none', { maxHops: -1 }, 'schema_violation /max_hops 0 to 7'],
    ['too many hops', { maxHops: 8 }, 'schema_violation /max_hops 0 to 7'],
    ['no time', { maxTtlSeconds: 0 }, 'schema_violation /max_ttl_seconds 1 to 3600'],
    ['too much time', { maxTtlSeconds: 3601 }, 'schema_violation /max_ttl_seconds 1 to 3600'],
    ['a tool that nobody declared', { tools: ['crm.a', 'hr.b'] }, 'unknown_tool /tools/1 declared'],
    ['a purpose that nobody declared', { purpose: 'world' }, 'unknown_purpose /purpose declared'],
    ['what is no purpose', { purpose: 'Support!' }, 'unknown_purpose /purpose declared'],
    [
      'a bound that cannot be',
      { constraints: [{ key: 'args.a', prefix: 'x' }] },
      'schema_violation /constraints/0/prefix clean, and ending in / . or :',
    ],
  ])('[CON-07] may not state %s', (_what, terms, expected) => {
    expect(saidOf({})).toBe('accepted')
    expect(saidOf(terms)).toBe(expected)
  })
})

describe('the end of a consent', () => {
  const DAY = 86_400_000
  const saidAt = (ahead: number) =>
    said(() => {
      checkExpiry({ ...fitting, expiresAt: new Date(NOW.getTime() + ahead) }, NOW, 90)
    })

  it('[CON-07] lies ahead, and no further than the days allowed', () => {
    expect(saidAt(1)).toBe('accepted')
    expect(saidAt(90 * DAY)).toBe('accepted')
    expect(saidAt(0)).toBe('schema_violation /expires_at in the future')
    expect(saidAt(-1)).toBe('schema_violation /expires_at in the future')
    expect(saidAt(90 * DAY + 1)).toBe('schema_violation /expires_at within 90 days')
    expect(saidAt(Number.NaN)).toBe('schema_violation /expires_at in the future')
  })
})
