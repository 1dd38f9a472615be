import { describe, expect, it } from 'vitest'
import { CHAIN_BYTES_MAX } from '../../src/chain/reading.ts'
import { parentNeeded, partsOf, rootKeysOf, verifyChain } from '../../src/chain/verify.ts'
import { admits } from '../../src/domain/authority.ts'
import { but, claim, detail, header, pair } from '../vectors/cases.ts'
import { AGAINST, BROKER, chainOf, LEAF, verdictOn } from './checking.ts'
import { AGENTS, exampleDrafts, hopDraft, ISSUED, keyOf, NOW, rootDraft } from './example.ts'
import { type Draft, hashOf, ISSUER, type Members, ROOT_KEY, ROOT_KID, seal } from './making.ts'

const example = seal(exampleDrafts())
const scoped = (scopes: string[]) => ({ scopes })
const bounded = (...constraints: Members[]) => ({ constraints })

describe('a chain', () => {
  it('[CHN-02] is refused with two hops swapped, and with one dropped', () => {
    const [root = '', one = '', two = '', three = ''] = example
    expect(verdictOn([root, two, one, three])).toBe('signature_invalid 1')
    expect(verdictOn([root, one, three])).toBe('signature_invalid 2')
    expect(verdictOn([root, two, three])).toBe('signature_invalid 1')
    expect(verdictOn([root, one, one])).toBe('signature_invalid 2')
    expect(verdictOn(example)).toBe('valid')
  })

  it('[CHN-03] is not spliced: the hop of one sponsor does not rest on the root of another', () => {
    const bob = { sub: 'spn_01m7w77j50fm7bryxempg1gknm', jti: '01m7ysm950fmxbe81yhnb8mpr9' }
    const bobs = seal([rootDraft(bob), ...exampleDrafts().slice(1)])
    expect(verdictOn([bobs[0] ?? '', ...example.slice(1)])).toBe('par_hash_mismatch 1')
    expect(verdictOn([rootDraft(bob), ...exampleDrafts().slice(1)])).toBe('principal_altered 1')
  })

  it('[CHN-15] [CHN-20] is as long as it may be, and no longer', () => {
    expect(verdictOn(chainOf(7))).toBe('valid')
    expect(verdictOn(chainOf(3, { del_max_depth: 4 }))).toBe('valid')
    expect(verdictOn(chainOf(4, { del_max_depth: 4 }))).toBe('depth_invalid 4')
    const [root, one, two] = chainOf(2) as [Draft, Draft, Draft]
    const last = { ...one, claims: { ...one.claims, del_max_depth: 2 } }
    expect(verdictOn([root, last])).toBe('valid')
    expect(verdictOn([root, last, two])).toBe('depth_invalid 2')
  })

  it('[CHN-16] never comes back to a key: A to B to A, nor to itself', () => {
    expect(verdictOn(claim(2, 'cnf', { jkt: keyOf(0).jkt }).slice(0, 3))).toBe('holder_repeated 2')
    expect(verdictOn(claim(1, 'cnf', { jkt: keyOf(0).jkt }).slice(0, 2))).toBe('holder_repeated 1')
  })

  it('[CHN-17] is shown by the agent of its leaf, with the key of its leaf', () => {
    expect(verdictOn(example, { presenter: LEAF })).toBe('valid')
    const agent = { ...LEAF, clientId: AGENTS[2] ?? '' }
    expect(verdictOn(example, { presenter: agent })).toBe('holder_binding_failed 3')
    const key = { ...LEAF, jkt: keyOf(2).jkt }
    expect(verdictOn(example, { presenter: key })).toBe('holder_binding_failed 3')
    expect(verdictOn(example.slice(0, 3), { presenter: LEAF })).toBe('holder_binding_failed 2')
  })

  it('[CHN-18] begins with a root of this broker, and of no other', () => {
    expect(verdictOn(example, { issuer: 'https://other.example' })).toBe('signature_invalid 0')
    expect(verdictOn(example, { rootKeys: new Map() })).toBe('signature_invalid 0')
    const other = new Map([[ROOT_KID, keyOf(9).publicKey]])
    expect(verdictOn(example, { rootKeys: other })).toBe('signature_invalid 0')
  })

  it('[CHN-19] [CHN-33] has no other token of ours for a member', () => {
    const session = { ...rootDraft().claims, act: { sub: 'agt_x' }, iss: ISSUER }
    expect(verdictOn(but(0, (draft) => (draft.claims = session)))).toBe('malformed 0')
    expect(verdictOn(claim(0, 'iss', ISSUER))).toBe('signature_invalid 0')
    expect(verdictOn(header(0, 'kid', 'ses-1'))).toBe('signature_invalid 0')
    expect(verdictOn([rootDraft(), { ...rootDraft(), key: keyOf(0) }])).toBe('malformed 1')
    const byBroker = exampleDrafts().map((it, at) => (at === 1 ? { ...it, key: ROOT_KEY } : it))
    expect(verdictOn(byBroker)).toBe('signature_invalid 1')
    expect(verdictOn([hopDraft(1, { iat: ISSUED })])).toBe('malformed 0')
  })

  it('[CHN-22] has one human from end to end', () => {
    const other = 'spn_01m7w77j50fm7bryxempg1gknm'
    for (const at of [1, 2, 3]) {
      expect(verdictOn(claim(at, 'sub', other))).toBe(`principal_altered ${String(at)}`)
    }
  })
})

describe('a hop', () => {
  it('[CHN-04] that is wider by one step is refused, with its depth and the field', () => {
    const max = (value: number) => bounded({ key: 'args.a', max: value })
    expect(verdictOn(pair(max(5), max(5)))).toBe('valid')
    expect(verdictOn(pair(max(5), max(6)))).toBe('not_narrower 1 constraints[args.a,max]')
    const uses = (value: number) => bounded({ key: 'calls', max_subtree: value })
    expect(verdictOn(pair(uses(5), uses(6)))).toBe('not_narrower 1 constraints[calls,max_subtree]')
    const added = detail(2, ({ scopes }) => scopes.push('crm.read'))
    expect(verdictOn(added)).toBe('not_narrower 2 scopes[1]')
    expect(verdictOn(claim(2, 'del_max_depth', 5))).toBe('not_narrower 2 del_max_depth')
    expect(verdictOn(claim(3, 'purpose', 'support'))).toBe('not_narrower 3 purpose')
    expect(verdictOn(claim(3, 'exp', 1_795_259_701))).toBe('expired 3 exp')
    expect(verdictOn(claim(3, 'cnf', undefined))).toBe('malformed 3')
  })

  it('[CHN-05] is bounded by what it leaves out', () => {
    const tokens = seal(pair(bounded({ key: 'args.amount', max: 100 }), {}))
    const result = verifyChain({ ...AGAINST, tokens })
    const effective = result.ok ? result.hops.at(-1)?.effective : undefined
    if (!effective) throw new Error('the chain is refused')
    const call = (amount: number) => ({
      tool: { name: 'crm.read' },
      arguments: { amount },
      facts: {},
    })
    expect(admits(effective, call(100), 'support')).toBeNull()
    expect(admits(effective, call(101), 'support')?.outcome).toBe('ceiling_exceeded')
  })

  it('[CHN-06] [CHN-07] [CHN-09] [CHN-10] names tools, or nothing', () => {
    expect(verdictOn(pair({}, scoped([])))).toBe('valid')
    expect(verdictOn(pair(scoped(['crm.read']), scoped(['crm.*'])))).toBe(
      'not_narrower 1 scopes[0]',
    )
    const bad = [
      '*',
      'crm.re*',
      'crm.*.read',
      'CRM.Read',
      'crm.READ',
      'crm.ｒead',
      'crm.reаd',
      'crm.re\u200bad',
      'crm.read\n',
    ]
    for (const scope of bad) {
      expect(verdictOn(pair({}, scoped([scope]))), JSON.stringify(scope)).toBe('malformed 1')
    }
  })

  it('[CHN-13] ends with its parent at the latest', () => {
    expect(verdictOn(claim(3, 'exp', '1795256280'))).toBe('malformed 3')
    expect(verdictOn(claim(3, 'exp', 1_795_259_701))).toBe('expired 3 exp')
    expect(verdictOn(claim(1, 'exp', NOW))).toBe('expired 1 exp')
    expect(verdictOn(claim(2, 'nbf', NOW + 1))).toBe('expired 2 nbf')
  })

  it('inherits its beginning', () => {
    const drafts = claim(1, 'nbf', NOW - 30)
    const result = verifyChain({ ...AGAINST, tokens: seal(drafts) })
    expect(result.ok && result.hops.map(({ nbf }) => nbf)).toEqual([
      null,
      NOW - 30,
      NOW - 30,
      NOW - 30,
    ])
  })

  it('[CHN-23] is the one spelling of what it says', () => {
    const twice = but(
      2,
      (it) => (it.spellClaims = (text) => text.replace('"scopes":', '"scopes":["db.*"],"scopes":')),
    )
    expect(verdictOn(twice)).toBe('duplicate_member 2')
    const unsorted = but(
      2,
      (it) =>
        (it.spellClaims = (text) =>
          text.replace(/^\{(.*),"sub":"([a-z0-9_]+)"\}$/, '{"sub":"$2",$1}')),
    )
    expect(verdictOn(unsorted)).toBe('non_canonical 2')
    // What the bytes are comes before what the scopes are, even where those are none.
    const spaced = but(2, (it) => {
      it.spellClaims = (text) => text.replace(/"scopes":\[[^\]]*\]/, '"scopes": null')
    })
    expect(verdictOn(spaced)).toBe('non_canonical 2')
  })

  it('[CHN-24] with a bound that nobody knows is refused, in any token', () => {
    for (const at of [0, 1, 2, 3]) {
      const chain = detail(at, ({ constraints }) =>
        constraints.push({ key: 'args.geo', geo_limit: 'EU' }),
      )
      expect(verdictOn(chain)).toBe(`unknown_constraint ${String(at)}`)
    }
  })
})

describe('what a verifier is told', () => {
  it('decides who may be handed a hop, and for what', () => {
    expect(verdictOn(example, BROKER)).toBe('valid')
    const purposes = new Set(['support', 'support.refunds'])
    expect(verdictOn(example, { ...BROKER, purposes })).toBe('unknown_purpose 3 purpose')
    const delegates = new Set([AGENTS[1] ?? '', AGENTS[2] ?? ''])
    const refused = 'delegate_not_allowed 3 client_id'
    expect(verdictOn(example, { ...BROKER, delegates })).toBe(refused)
    expect(verdictOn(example.slice(0, 1), { ...BROKER, delegates: new Set() })).toBe('valid')
  })

  it('ends a chain at the consent first, then from the root down', () => {
    const stopped = (from: number | null) => (token: { depth: number } | null) =>
      (token?.depth ?? -1) >= (from ?? -1) ? ('revoked' as const) : ('good' as const)
    expect(verdictOn(example, { standing: stopped(null) })).toBe('revoked null')
    expect(verdictOn(example, { standing: stopped(0) })).toBe('revoked 0')
    expect(verdictOn(example, { standing: stopped(2) })).toBe('revoked 2')
    expect(verdictOn(example, { standing: () => 'unknown' })).toBe('status_unknown null')
  })

  it('is for us, in every token', () => {
    expect(verdictOn(claim(3, 'aud', 'https://other.example'))).toBe('audience_mismatch 3 aud')
  })
})

describe('what travels', () => {
  it('is eight tokens and 64 KiB at most, and nothing of more is read', () => {
    const parts = (text: string) => {
      const result = partsOf(text)
      return result.ok ? result.tokens.length : [result.outcome, result.isTooLarge]
    }
    expect(parts(example.join('~'))).toBe(4)
    expect(parts(Array(8).fill('x').join('~'))).toBe(8)
    expect(parts(Array(9).fill('x').join('~'))).toEqual(['malformed', true])
    expect(parts('~'.repeat(10_000))).toEqual(['malformed', true])
    expect(parts('x'.repeat(CHAIN_BYTES_MAX + 1))).toEqual(['malformed', true])
    const rootKeys = new Map<string, never>()
    rootKeys.get = () => {
      throw new Error('a signature is checked')
    }
    const nine = verifyChain({ ...AGAINST, rootKeys, tokens: seal(chainOf(8)) })
    expect(nine).toMatchObject({ outcome: 'malformed', hop: null, isTooLarge: true })
    expect(() => verifyChain({ ...AGAINST, rootKeys, tokens: example })).toThrow('is checked')
  })

  it.each(['', '~', 'a~', '~a', 'a b', 'a.b.c.d', 'a.b', '..', '\u0000'])(
    '%j is no chain',
    (text) => {
      const parts = partsOf(text)
      expect(parts.ok && verdictOn(parts.tokens.map((it) => it || ' '))).toMatch(/^malformed 0/)
      expect(verifyChain({ ...AGAINST, tokens: parts.ok ? parts.tokens : [] }).ok).toBe(false)
    },
  )

  it('may begin with a hop, which then names the parent that is needed', () => {
    expect(parentNeeded(example)).toEqual({ ok: true, parHash: null })
    expect(parentNeeded(example.slice(2))).toEqual({ ok: true, parHash: hashOf(example[1] ?? '') })
    expect(parentNeeded([])).toMatchObject({ ok: false, outcome: 'malformed' })
    const [tokens, ancestors] = [example.slice(2), example.slice(0, 2)]
    expect(verdictOn(tokens)).toBe('parent_unknown 2')
    expect(verdictOn(tokens, { ancestors })).toBe('valid')
    expect(verdictOn(tokens, { ancestors: ancestors.slice(1) })).toBe('parent_unknown 1')
    expect(
      verdictOn(tokens, { ancestors: seal([rootDraft(), ...claim(1, 'iat', 1).slice(1, 2)]) }),
    ).toBe('par_hash_mismatch 2')
    const worse = claim(3, 'note', 'x').slice(0, 4)
    expect(verdictOn(seal(worse).slice(2), { ancestors })).toBe('malformed 3')
    expect(verdictOn(seal(worse).slice(2))).toBe('malformed 3')
  })

  it('counts a chain by its depth, not by how much of it travels', () => {
    const all = seal(chainOf(8))
    const rest = { ancestors: all.slice(0, 8) }
    expect(verdictOn(all.slice(8), rest)).toBe('depth_invalid 8')
    expect(verdictOn(all.slice(7, 8), { ancestors: all.slice(0, 7) })).toBe('valid')
  })
})

describe('root keys', () => {
  it('are those of a set that are for signing, whole, and of a kind that roots have', () => {
    const jwk = ROOT_KEY.jwk
    const entry = (kid: string, more: Members = {}) => ({ ...jwk, kid, ...more })
    const keys = [
      ...[entry('a'), entry('b', { use: 'sig', alg: 'ES256' }), entry('c', { use: 'enc' })],
      ...[entry('d', { alg: 'Ed25519' }), entry('e', { d: 'x' }), entry('f', { x: 'x' })],
      ...[jwk, { kty: 'RSA', kid: 'g' }, null],
    ]
    expect([...rootKeysOf({ keys }).keys()]).toEqual(['a', 'b'])
    expect([...rootKeysOf({ keys: 'x' }).keys()]).toEqual([])
  })
})
