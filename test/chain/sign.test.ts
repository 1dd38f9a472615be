import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { heldBy, hopToken, type NewHop } from '../../src/chain/sign.ts'
import type { Constraint } from '../../src/domain/constraint.ts'
import { pair } from '../vectors/cases.ts'
import { AGAINST, verdictOn } from './checking.ts'
import { AGENTS, exampleDrafts, keyOf, NOW, OTHER_KEY, rootDraft } from './example.ts'
import { seal } from './making.ts'
import { aScene, written } from './random-chains.ts'

const example = seal(exampleDrafts()).slice(0, 3)
function held(tokens: readonly string[]) {
  const result = heldBy(tokens)
  if (!result.ok) throw new Error(result.outcome)
  return result.held
}
const hop = (own: Partial<NewHop> = {}): NewHop => ({
  ...{ parent: held(example), delegate: { clientId: AGENTS[3] ?? '', jkt: keyOf(3).jkt } },
  ...{ authority: {}, iat: NOW, exp: NOW + 60, jti: 'hop3-0123456789abcdef' },
  ...{ key: keyOf(2).privateKey, ...own },
})
function tokenOf(own: Partial<NewHop> = {}): string {
  const made = hopToken(hop(own))
  if (!made.ok) throw new Error(made.outcome)
  return made.token
}

describe('a hop that we sign', () => {
  it('verifies here, and where every inherited bound has to be repeated', () => {
    const bound: Constraint = { key: 'payments.refund#args.amount', max: 1000 }
    const token = tokenOf({
      authority: { constraints: [bound], purpose: 'support.refunds.goodwill' },
    })
    expect(verdictOn([...example, token])).toBe('valid')
    const short = seal(exampleDrafts()).slice(0, 2)
    const parent = held(short)
    const authority = { scopes: ['payments.refund'], constraints: [bound] }
    const delegate = { clientId: AGENTS[2] ?? '', jkt: keyOf(2).jkt }
    const next = tokenOf({ parent, authority, delegate, key: keyOf(1).privateKey })
    expect(verdictOn([...short, next], { repeatConstraints: true })).toBe('valid')
    expect(held([...short, next]).effective.constraints).toHaveLength(5)
  })

  it('verifies under a key of Ed25519', () => {
    const root = seal([rootDraft({ cnf: { jkt: OTHER_KEY.jkt } })])
    const delegate = { clientId: AGENTS[1] ?? '', jkt: keyOf(1).jkt }
    const token = tokenOf({ parent: held(root), delegate, key: OTHER_KEY.privateKey })
    expect(verdictOn([...root, token])).toBe('valid')
  })

  it.each<[string, Partial<NewHop>]>([
    ['not_narrower 3 scopes[0]', { authority: { scopes: ['crm.customer.read'] } }],
    ['not_narrower 3 purpose', { authority: { purpose: 'support' } }],
    [
      'not_narrower 3 constraints[ttl_seconds,max]',
      { authority: { constraints: [{ key: 'ttl_seconds', max: 121 }] } },
    ],
    ['not_narrower 3 del_max_depth', { authority: { delMaxDepth: 5 } }],
    ['depth_invalid 3 ', { authority: { delMaxDepth: 3 } }],
    ['expired 3 exp', { exp: 1_795_259_701 }],
    ['expired 3 nbf', { parent: { ...held(example), nbf: NOW }, nbf: NOW - 1 }],
  ])('is not signed where it would be refused: %s', (expected, own) => {
    const made = hopToken(hop(own))
    expect(made.ok ? 'signed' : `${made.outcome} ${String(made.hop)} ${made.field ?? ''}`).toBe(
      expected,
    )
    expect(hopToken(hop()).ok).toBe(true)
  })

  it('is not signed with a key that chains have no place for', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
    expect(() => hopToken(hop({ key: privateKey }))).toThrow(TypeError)
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    expect(() => hopToken(hop({ key: rsa }))).toThrow(TypeError)
  })

  it('is refused when its signer does not hold its parent', () => {
    expect(verdictOn([...example, tokenOf({ key: keyOf(9).privateKey })])).toBe(
      'signature_invalid 3',
    )
  })

  it('has all that its parent has, when nothing is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 30 }), (seed) => {
        const tokens = written(aScene(seed))
          .slice(0, 1)
          .map(({ compact }) => compact)
        const parent = held(tokens)
        fc.pre(parent.jkt === keyOf(0).jkt)
        const delegate = { clientId: AGENTS[1] ?? '', jkt: keyOf(1).jkt }
        const token = tokenOf({ parent, delegate, key: keyOf(0).privateKey })
        expect(held([...tokens, token]).effective).toEqual(parent.effective)
        expect(verdictOn([...tokens, token], { repeatConstraints: true })).toBe('valid')
      }),
      { numRuns: 30 },
    )
  })
})

describe('what a holder has to hand on', () => {
  it('is told without a look at a signature or a clock, and not without the chain', () => {
    const spoilt = example.map((token) => `${token.slice(0, -86)}${'A'.repeat(86)}`)
    expect(held(spoilt).effective.scopes).toEqual(['payments.refund'])
    expect(verdictOn(spoilt)).toBe('signature_invalid 0')
    expect(heldBy(example.slice(1))).toMatchObject({ ok: false, outcome: 'parent_unknown' })
    const wide = seal(pair({ scopes: ['crm.read'] }, { scopes: ['crm.*'] }))
    expect(heldBy(wide)).toMatchObject({ ok: false, outcome: 'not_narrower', field: 'scopes[0]' })
    expect(AGAINST.rootKeys.size).toBe(1)
  })
})
