import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PARSE_OUTCOMES } from '../../src/chain/outcome.ts'
import { but } from '../vectors/cases.ts'
import { BROKER, chainOf, detailOf, LEAF, verdictOn } from './checking.ts'
import { exampleDrafts, keyOf, NOW, PURPOSES } from './example.ts'
import { type Draft, encode, hashOf, type Members, seal } from './making.ts'
import { aScene } from './random-chains.ts'

const seeds = fc.integer({ min: 1, max: 2 ** 30 })

describe('the bytes of a chain', () => {
  const tokens = seal(chainOf(5))
  const place = fc.record({ at: fc.nat(5), part: fc.nat(2), where: fc.nat(10_000), bit: fc.nat(7) })

  it('[CHN-01] do not bear one other bit, in any header, payload or signature', () => {
    expect(verdictOn(tokens)).toBe('valid')
    fc.assert(
      fc.property(place, ({ at, part, where, bit }) => {
        const parts = (tokens[at] ?? '').split('.')
        const octets = Buffer.from(parts[part] ?? '', 'base64url')
        const byte = where % octets.length
        octets[byte] = (octets[byte] ?? 0) ^ (1 << bit)
        parts[part] = encode(octets)
        const [outcome = '', hop] = verdictOn(tokens.with(at, parts.join('.'))).split(' ')
        expect([...PARSE_OUTCOMES, 'signature_invalid']).toContain(outcome)
        expect(hop).toBe(String(at))
      }),
      { numRuns: 600 },
    )
  })

  it('[CHN-01] do not bear one other character', () => {
    fc.assert(
      fc.property(place, fc.string({ minLength: 1, maxLength: 1 }), ({ at, where }, other) => {
        const token = tokens[at] ?? ''
        const index = where % token.length
        fc.pre(token[index] !== other)
        const changed = token.slice(0, index) + other + token.slice(index + 1)
        expect(verdictOn(tokens.with(at, changed))).not.toBe('valid')
      }),
      { numRuns: 300 },
    )
  })

  it('[CHN-02] do not bear another order, nor one token more or less', () => {
    const others = seal(chainOf(5, { jti: 'another-root-0123456789' }))
    fc.assert(
      fc.property(fc.nat(5), fc.nat(5), (one, other) => {
        const [here = '', there = ''] = [tokens[one], tokens[other]]
        if (one !== other)
          expect(verdictOn(tokens.with(one, there).with(other, here))).not.toBe('valid')
        expect(verdictOn(tokens.toSpliced(one, 0, here))).not.toBe('valid')
        expect(verdictOn(tokens.toSpliced(one, 0, others[other] ?? ''))).not.toBe('valid')
        if (one < 5) expect(verdictOn(tokens.toSpliced(one, 1))).not.toBe('valid')
        if (one < 5 || other < 5)
          expect(verdictOn(tokens.with(one, others[one] ?? ''))).not.toBe(one === 5 ? '' : 'valid')
      }),
      { numRuns: 150 },
    )
  })

  it('make another token when anything is listed otherwise, and never another verdict', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const plans = aScene(seed)
          .plans.slice(0, 8)
          .map(({ draft }) => draft)
        const verdict = verdictOn(plans)
        const turned = plans.map((draft) => reversed(draft))
        expect(verdictOn(turned)).toBe(verdict)
        const [before = '', after = ''] = [seal(plans)[0], seal(turned)[0]]
        const { scopes, constraints } = detailOf(plans[0] ?? turned[0])
        if (scopes.length > 1 || constraints.length > 1)
          expect(hashOf(after)).not.toBe(hashOf(before))
      }),
      { numRuns: 40 },
    )
  })
})

/** Scopes, constraints and elements backwards. The `order` of a rank is no set. */
function reversed(draft: Draft): Draft {
  const { scopes, constraints } = detailOf(draft)
  const turned = constraints.toReversed().map((bound) => {
    const sets = Object.entries(bound).map(([name, value]) => {
      return [
        name,
        name !== 'order' && Array.isArray(value) ? (value as unknown[]).toReversed() : value,
      ]
    })
    return Object.fromEntries(sets) as Members
  })
  const detail = { type: 'agent_delegation', scopes: scopes.toReversed(), constraints: turned }
  return { ...draft, claims: { ...draft.claims, authorization_details: [detail] } }
}

describe('the order of the steps', () => {
  type Fault = (draft: Draft) => unknown
  /** In the order in which they are found; each at a token of its own choosing. */
  const FAULTS: readonly (readonly [outcome: string, at: number, fault: Fault, world?: object])[] =
    [
      ['malformed 3', 3, ({ claims }) => (claims['note'] = 'x')],
      [
        'signature_invalid 2',
        2,
        (draft) => (draft.onTheWay = (text) => `${text.slice(0, -86)}${'A'.repeat(86)}`),
      ],
      ['par_hash_mismatch 2', 2, ({ claims }) => (claims['par_hash'] = keyOf(0).jkt)],
      ['depth_invalid 3', 3, ({ claims }) => (claims['del_depth'] = 7)],
      ['depth_invalid 2', 1, ({ claims }) => (claims['del_max_depth'] = 2)],
      [
        'principal_altered 3',
        3,
        ({ claims }) => (claims['sub'] = 'spn_01m7w77j50fm7bryxempg1gknm'),
      ],
      ['holder_repeated 3', 3, ({ claims }) => (claims['cnf'] = { jkt: keyOf(0).jkt })],
      ['not_narrower 2 purpose', 2, ({ claims }) => (claims['purpose'] = 'sales')],
      ['unknown_purpose 0 purpose', 0, () => 0, { purposes: new Set(PURPOSES.slice(2)) }],
      ['delegate_not_allowed 1 client_id', 0, () => 0, { delegates: new Set() }],
      ['expired 3 exp', 3, ({ claims }) => (claims['exp'] = NOW)],
      ['expired 1 exp', 1, ({ claims }) => (claims['exp'] = 1_795_284_901)],
      ['holder_binding_failed 3', 0, () => 0, { presenter: { ...LEAF, clientId: 'agt_x' } }],
      ['revoked null', 0, () => 0, { standing: () => 'revoked' }],
      ['audience_mismatch 1 aud', 1, ({ claims }) => (claims['aud'] = 'https://other.example')],
    ]

  it('finds each of them alone, and nothing without them', () => {
    const against = { ...BROKER, presenter: LEAF }
    for (const [outcome, at, fault, world = {}] of FAULTS) {
      expect(verdictOn(but(at, fault), { ...against, ...world })).toBe(outcome)
      expect(verdictOn(exampleDrafts(), against)).toBe('valid')
    }
  })

  it('decides: of any two faults the one that an earlier step finds', () => {
    for (const [n, [outcome, at, fault, world = {}]] of FAULTS.entries()) {
      for (const [later, there, other, also = {}] of FAULTS.slice(n + 1)) {
        const drafts = exampleDrafts()
        for (const [place, change] of [
          [at, fault],
          [there, other],
        ] as const) {
          const draft = drafts[place]
          if (draft) change(draft)
        }
        const against = { ...BROKER, presenter: LEAF, ...world, ...also }
        expect(verdictOn(drafts, against), `${outcome} and ${later}`).toBe(outcome)
      }
    }
  })
})
