/** What a client hands on is judged here, before anybody is asked: less than it holds, or nothing. */
import { describe, expect, it } from 'vitest'
import { rootKeysOf } from '../../src/chain/keys.ts'
import { verifyChain } from '../../src/chain/verify.ts'
import { type DelegationAsk, holdingOf, signHop } from '../../src/client/delegating.ts'
import { CannotDelegate } from '../../src/client/errors.ts'
import { generateKey, importKey } from '../../src/client/key.ts'
import { boundPhrase, droppedPhrases } from '../../src/client/phrases.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { AGENTS, exampleDrafts, keyOf, NOW } from '../chain/example.ts'
import { ISSUER, ROOT_KEY, ROOT_KID, seal } from '../chain/making.ts'

const holder = (n: number) => importKey(keyOf(n).privateKey.export({ format: 'jwk' }) as JsonObject)
const TOKENS = seal(exampleDrafts())
const ROOT = TOKENS.slice(0, 1)
const TO = { agent: AGENTS[1] ?? '', jkt: generateKey().jkt }

const hand = (ask: Partial<DelegationAsk> = {}, tokens = ROOT, now = NOW * 1000) =>
  signHop(tokens, holder(tokens.length - 1), { to: TO, ...ask }, now)

function refused(ask: Partial<DelegationAsk>, tokens = ROOT): CannotDelegate {
  try {
    hand(ask, tokens)
  } catch (error) {
    if (error instanceof CannotDelegate) return error
    throw error
  }
  throw new Error('it was signed')
}

describe('what a client hands on', () => {
  it('is a chain that anybody can verify, for the key that it names', () => {
    const { chain, depth } = hand({
      tools: ['payments.refund'],
      calls: 5,
      purpose: 'support.refunds',
    })
    const rootKeys = rootKeysOf({ keys: [{ ...ROOT_KEY.jwk, kid: ROOT_KID }] })
    const shown = { tokens: chain.split('~'), issuer: ISSUER, rootKeys, now: new Date(NOW * 1000) }
    expect(verifyChain({ ...shown, presenter: { clientId: TO.agent, jkt: TO.jkt } })).toMatchObject(
      {
        ok: true,
        hops: [{ depth: 0 }, { depth, purpose: 'support.refunds', jkt: TO.jkt }],
      },
    )
    const other = { clientId: TO.agent, jkt: generateKey().jkt }
    expect(verifyChain({ ...shown, presenter: other })).toMatchObject({
      outcome: 'holder_binding_failed',
    })
  })

  it('writes out what is inherited, and keeps what is absent', () => {
    const { effective } = hand({ calls: 5 })
    const held = holdingOf(ROOT).effective
    expect(effective.scopes).toEqual(held.scopes)
    expect(effective.constraints).toHaveLength(held.constraints.length)
    expect(effective.constraints).toContainEqual({ key: 'calls', max_subtree: 5 })
    expect(effective.delMaxDepth).toBe(held.delMaxDepth)
  })

  it('lasts ten minutes, or as long as was said, and never longer than what it rests on', () => {
    expect(hand().expiresAt.getTime() / 1000).toBe(NOW + 600)
    expect(hand({ ttl: 30 }).expiresAt.getTime() / 1000).toBe(NOW + 30)
    const short = TOKENS.slice(0, 3)
    const last = 1_795_259_700
    expect(hand({}, short, (last - 60) * 1000).expiresAt.getTime() / 1000).toBe(last)
    expect(refused({ ttl: 100_000 })).toMatchObject({ outcome: 'expired', field: 'exp' })
  })

  it('tells what the delegate does not get', () => {
    const { dropped } = hand({
      ...{ tools: ['crm.customer.read'], purpose: 'support.refunds', calls: 5, hops: 0 },
      where: [{ key: 'payments.refund#args.currency', one_of: ['EUR'] }],
    })
    expect(dropped).toEqual({
      ...{ scopes: ['crm.*', 'payments.refund'], purpose: 'support', hops: 2 },
      constraints: [
        { key: 'payments.refund#args.currency', type: 'one_of', was: ['EUR', 'GBP'], is: ['EUR'] },
        { key: 'calls', type: 'max_subtree', was: 40, is: 5 },
      ],
    })
    expect(droppedPhrases(dropped)).toEqual([
      ...['tool crm.*', 'tool payments.refund', 'purpose support'],
      ...['payments.refund#args.currency GBP', 'calls 40 → 5', '2 further hops'],
    ])
  })

  it.each<[string, Partial<DelegationAsk>, string, string]>([
    ['a tool', { tools: ['crm.read', 'sql.query'] }, 'scopes[1]', 'sql.query is not held'],
    ['a wider tool', { tools: ['crm.*', 'payments.*'] }, 'scopes[1]', 'payments.* is not held'],
    ['a purpose', { purpose: 'sales' }, 'purpose', 'neither support nor below it'],
    ['calls', { calls: 41 }, 'constraints[calls,max_subtree]', '41 calls in all'],
    ['longer credentials', { credentialTtl: 301 }, 'constraints[ttl_seconds,max]', '301 s'],
    ['hops', { hops: 3 }, 'del_max_depth', 'that often'],
    [
      'a value',
      { where: [{ key: 'payments.refund#args.currency', one_of: ['EUR', 'USD'] }] },
      'constraints[payments.refund#args.currency,one_of]',
      'payments.refund#args.currency adds USD, and what is held is',
    ],
  ])('is refused here when it adds %s, and the refusal names it', (_what, ask, field, says) => {
    const error = refused(ask)
    expect([error.outcome, error.field]).toEqual(['not_narrower', field])
    expect(error.message).toContain(says)
    expect(error.fix).not.toBe('')
  })

  it.each<[string, Partial<DelegationAsk>, string]>([
    ['a scope of no form', { tools: ['crm.re*'] }, 'tools/0'],
    ['a bound of no kind', { where: [{ key: 'args.a' } as never] }, 'where/0'],
    ['one bound twice', { calls: 2, where: [{ key: 'calls', max_subtree: 3 }] }, 'where/1'],
    ['nobody', { to: { agent: 'chart-maker', jkt: TO.jkt } }, 'to.agent'],
  ])('is refused here when it names %s', (_what, ask, field) => {
    expect(refused(ask)).toMatchObject({ outcome: 'malformed', field })
  })

  it('goes no deeper than the chain may, and needs the whole chain', () => {
    expect(refused({}, TOKENS)).toMatchObject({ outcome: 'depth_invalid' })
    expect(refused({}, TOKENS.slice(1, 2))).toMatchObject({ outcome: 'parent_unknown' })
    expect(refused({}, ['nonsense'])).toMatchObject({ outcome: 'malformed' })
  })
})

describe('a bound in words', () => {
  it.each([
    [{ key: 'args.a', eq: 'x' }, 'args.a is x'],
    [{ key: 'facts.tables', subset_of: ['a', 'b'] }, 'facts.tables only a, b'],
    [{ key: 'args.a', one_of: [1, 2] }, 'args.a one of 1, 2'],
    [{ key: 'args.a', not_one_of: ['x'] }, 'args.a none of x'],
    [{ key: 'args.p', prefix: 'r/' }, 'args.p begins with r/'],
    [{ key: 'args.n', min: 1 }, 'args.n at least 1'],
    [{ key: 'args.n', max: 9 }, 'args.n at most 9'],
    [{ key: 'ttl_seconds', max: 60 }, 'credentials for 60 s at most'],
    [{ key: 'args.s', max_length: 3 }, 'args.s at most 3 long'],
    [{ key: 'args.r', rank: 'low', order: ['low', 'high'] }, 'args.r at most low'],
    [{ key: 'calls', max_lifetime: 2 }, '2 calls by itself'],
    [{ key: 'args.amount', max_subtree: 10 }, 'args.amount adds up to 10 in all'],
  ])('%j is "%s"', (bound, words) => {
    expect(boundPhrase(bound)).toBe(words)
  })
})
