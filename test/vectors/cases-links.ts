/** Whole chains, and what holds their tokens together: signatures, hashes, depths, holders, times, state. */
import {
  AGENTS,
  exampleDrafts,
  hopDraft,
  keyOf,
  NOW,
  OTHER_KEY,
  PURPOSES,
  rootDraft,
} from '../chain/example.ts'
import {
  type Draft,
  encode,
  GRANDPARENT,
  type HolderKey,
  ISSUER,
  seal,
  signatureOf,
  thumbprint,
  THUMBPRINT,
} from '../chain/making.ts'
import { but, type Case, claim, header, refused } from './cases.ts'

const at = (outcome: string, hop: number | null, field?: string) => ({
  ...{ outcome, hop },
  ...(field === undefined ? {} : { field }),
})
const example = seal(exampleDrafts())
const upTo = (count: number) => exampleDrafts().slice(0, count)
const leaf = [AGENTS[3] ?? '', keyOf(3).jkt] as const
const effective = {
  ...{ scopes: ['payments.refund'], purpose: 'support.refunds.goodwill', del_max_depth: 4 },
  constraints: [
    { key: 'calls', max_lifetime: 2 },
    { key: 'calls', max_subtree: 20 },
    { key: 'payments.refund#args.amount', max: 1000 },
    { key: 'payments.refund#args.amount', max_subtree: 20_000 },
    { key: 'payments.refund#args.currency', one_of: ['EUR'] },
    { key: 'payments.refund#args.order_id', prefix: 'EU-2026/' },
    { key: 'ttl_seconds', max: 120 },
  ],
}
const valid = { outcome: 'valid', effective }

/** The same hop, signed by another key that it then names and brings. */
const signedBy = (key: HolderKey, from: Draft): Draft => ({
  ...from,
  key,
  header: { ...from.header, alg: key.alg, jwk: key.jwk },
  claims: { ...from.claims, iss: THUMBPRINT + key.jkt },
})
/** The example with a key of Ed25519 at the first hop. */
function withOtherKey(): Draft[] {
  const [root, first, second, third] = exampleDrafts() as [Draft, Draft, Draft, Draft]
  first.claims['cnf'] = { jkt: OTHER_KEY.jkt }
  return [root, first, signedBy(OTHER_KEY, second), third]
}
const signature = (of: (input: string, draft: Draft) => string) => (draft: Draft) => {
  draft.onTheWay = (compact) => {
    const input = compact.slice(0, compact.lastIndexOf('.'))
    return `${input}.${of(input, draft)}`
  }
}
/** The DER form of a raw signature. */
function der(raw: Buffer): Buffer {
  const integer = (part: Buffer) => {
    const body = (part[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), part]) : part
    return Buffer.concat([Buffer.of(2, body.length), body])
  }
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, body.length), body])
}
/** The coordinates of two keys: of no point. */
const nowhere = { ...keyOf(0).jwk, y: keyOf(1).jwk['y'] ?? '' }
const OFF: HolderKey = { ...keyOf(0), jwk: nowhere, jkt: thumbprint(nowhere) }
const onceMore = hopDraft(4, { ...exampleDrafts()[3]?.claims, ...hopDraft(4).claims })

const VALID: readonly Case[] = [
  { name: 'the-worked-example', about: 'Four tokens; each narrows the one before', chain: exampleDrafts(), expected: valid },
  { name: 'shown-by-its-holder', about: 'With all that a broker checks', chain: exampleDrafts(), presenter: leaf, purposes: PURPOSES, delegates: AGENTS.slice(1, 4), expected: valid },
  { name: 'an-ed25519-key-between', about: 'Algorithms may differ from hop to hop', chain: withOtherKey(), expected: valid },
  { name: 'the-first-two-left-out', about: 'They are known; what is presented begins with a hop', chain: exampleDrafts(), leaveOut: 2, expected: valid },
  { name: 'without-c14n', about: 'The label has no effect', chain: header(2, 'c14n', undefined), expected: valid },
  { name: 'the-last-second', about: 'One second before the leaf ends', chain: exampleDrafts(), now: 1_795_256_279, expected: valid },
  { name: 'from-this-second-on', about: 'nbf is the first second in force', chain: claim(3, 'nbf', NOW), expected: valid },
  { name: 'as-deep-as-allowed', about: 'Four tokens, and a leaf that allows four', chain: claim(3, 'del_max_depth', 4), expected: valid },
]

const withY = withOtherKey().map((it, hop) => (hop === 2 ? { ...it, header: { ...it.header, jwk: { ...OTHER_KEY.jwk, y: keyOf(0).jwk['y'] } } } : it))
const SIGNATURES: readonly (readonly [string, string, Case['chain'], number])[] = [
  ['alg-none', 'There is no such algorithm here', but(1, (it) => { it.header['alg'] = 'none'; signature(() => '')(it) }), 1],
  ['hs256', 'A public key is no secret', header(1, 'alg', 'HS256'), 1],
  ['eddsa', 'Ed25519 is called by its own name', withOtherKey().map((it, hop) => (hop === 2 ? { ...it, header: { ...it.header, alg: 'EdDSA' } } : it)), 2],
  ['the-algorithm-of-another-key', 'The algorithm is a property of the key', header(1, 'alg', 'Ed25519'), 1],
  ['der', 'r and s, 64 octets', but(1, signature((input, { key }) => encode(der(Buffer.from(signatureOf(input, key), 'base64url'))))), 1],
  ['no-signature', 'An empty one', but(2, signature(() => '')), 2],
  ['a-signature-of-zeros', 'Of the right length', but(2, signature(() => encode(Buffer.alloc(64)))), 2],
  ['one-bit', 'One bit of the signature', but(3, signature((input, { key }) => { const raw = Buffer.from(signatureOf(input, key), 'base64url'); raw[7] = (raw[7] ?? 0) ^ 1; return encode(raw) })), 3],
  ['signed-by-another-key', 'It names and brings the right key, and another signed', but(1, (it) => (it.key = keyOf(7))), 1],
  ['by-a-stranger', 'Another key, which it names and brings itself', [rootDraft(), ...upTo(2).slice(1).map((it) => signedBy(keyOf(7), it))], 1],
  ['iss-of-another-key', 'iss is the thumbprint of the key it brings', claim(1, 'iss', THUMBPRINT + keyOf(7).jkt), 1],
  ['iss-by-name', 'iss is a thumbprint, not an agent', claim(1, 'iss', AGENTS[0]), 1],
  ['off-the-curve', 'A key whose coordinates are those of no point', [rootDraft({ cnf: { jkt: OFF.jkt } }), ...upTo(2).slice(1).map((it) => signedBy(OFF, it))], 1],
  ['a-root-by-another-issuer', 'iss is the issuer of roots', claim(0, 'iss', ISSUER), 0],
  ['a-root-by-another-broker', 'iss is the issuer of our roots', claim(0, 'iss', 'https://other.example/roots'), 0],
  ['a-root-under-an-unknown-kid', 'Root keys are known by name', header(0, 'kid', 'ses-2026-11'), 0],
  ['a-root-by-another-key', 'The name of a root key, and another signed', but(0, (it) => (it.key = keyOf(7))), 0],
  ['a-hop-dropped', 'The next is signed by a key that the one above is not bound to', [...upTo(2), ...exampleDrafts().slice(3)], 2],
  ['two-hops-swapped', 'The same', [exampleDrafts()[0], exampleDrafts()[2], exampleDrafts()[1]].flatMap((it) => it ?? []), 1],
]

/** Two faults, the earlier of which an earlier step finds, further from the root. */
const both = (faults: readonly (readonly [number, string, unknown])[]) => {
  const drafts = exampleDrafts()
  for (const [hop, name, value] of faults) Object.assign(drafts[hop]?.claims ?? {}, { [name]: value })
  return drafts
}
const BOB = 'spn_01m7w77j50fm7bryxempg1gknm'
const back = { jkt: keyOf(0).jkt }
const ORDERED: readonly Case[] = [
  refused('signature-before-hash', 'Two faults', both([[1, 'par_hash', keyOf(0).jkt], [2, 'iss', ISSUER]]), at('signature_invalid', 2)),
  refused('hash-before-depth', 'Two faults', both([[1, 'del_depth', 2], [2, 'par_hash', keyOf(0).jkt]]), at('par_hash_mismatch', 2)),
  refused('depth-before-sponsor', 'Two faults', both([[1, 'sub', BOB], [2, 'del_depth', 3]]), at('depth_invalid', 2)),
  refused('sponsor-before-holder', 'Two faults', both([[3, 'sub', BOB], [3, 'cnf', back]]), at('principal_altered', 3)),
  refused('holder-before-authority', 'Two faults', both([[1, 'purpose', 'sales'], [3, 'cnf', back]]), at('holder_repeated', 3)),
  refused('authority-before-time', 'Two faults', both([[1, 'exp', NOW], [3, 'purpose', 'sales']]), at('not_narrower', 3, 'purpose')),
  { ...refused('purpose-before-delegate', 'Two faults', exampleDrafts(), at('unknown_purpose', 3, 'purpose')), purposes: PURPOSES.slice(0, 3), delegates: [] },
  { ...refused('delegate-before-time', 'Two faults', both([[0, 'exp', NOW]]), at('delegate_not_allowed', 1, 'client_id')), delegates: [] },
  { ...refused('time-before-presenter', 'Two faults', both([[3, 'exp', NOW]]), at('expired', 3, 'exp')), presenter: [AGENTS[0] ?? '', keyOf(3).jkt] },
  { ...refused('presenter-before-state', 'Two faults', exampleDrafts(), at('holder_binding_failed', 3)), presenter: [AGENTS[0] ?? '', keyOf(3).jkt], revoked: [{ hop: null, state: 'revoked' }] },
  { ...refused('state-before-audience', 'Two faults', both([[0, 'aud', 'https://other.example']]), at('revoked', 3)), revoked: [{ hop: 3, state: 'revoked' }] },
]

const reissued = seal([rootDraft({ jti: '01m7ysm950fmxbe81yhnb8mpr9' })])
const otherChain = seal([rootDraft({ consent_id: 'con_01m7yp6dh0e51smay59h4nrjz9' }), ...upTo(2).slice(1)])

export const LINKS: readonly Case[] = [
  ...VALID,
  { name: 'nobody-knows-its-parent', about: 'It begins with a hop whose parent was never seen', chain: exampleDrafts(), leaveOut: 1, isForgotten: true, expected: at('parent_unknown', 1) },
  ...SIGNATURES.map(([name, about, chain, hop]) => refused(name, about, chain, at('signature_invalid', hop))),
  refused('an-ed25519-key-with-y', 'A key has exactly the members of its kind', withY, at('malformed', 2)),
  refused('under-a-root-issued-again', 'Another token, whatever it says', [...reissued, ...example.slice(1)], at('par_hash_mismatch', 1)),
  refused('a-hop-on-the-parent-of-another-chain', 'The same keys and agents, another consent', [otherChain[0] ?? '', otherChain[1] ?? '', ...example.slice(2)], at('par_hash_mismatch', 2)),
  refused('resting-on-its-grandparent', 'The parent, and no other ancestor', claim(2, 'par_hash', GRANDPARENT), at('par_hash_mismatch', 2)),
  refused('one-token-too-many', 'The root allows four', [...exampleDrafts(), onceMore], at('depth_invalid', 4)),
  refused('a-depth-skipped', 'del_depth is the place', claim(2, 'del_depth', 3), at('depth_invalid', 2)),
  refused('a-root-at-depth-1', 'A root is at depth 0', claim(0, 'del_depth', 1), at('depth_invalid', 0)),
  refused('a-leaf-that-hands-on', 'Its parent allowed two tokens', claim(1, 'del_max_depth', 2), at('depth_invalid', 2)),
  refused('a-limit-raised-and-used', 'Below every limit stated above, also where a later one is higher', claim(1, 'del_max_depth', 2).map((it, hop) => (hop === 2 ? { ...it, claims: { ...it.claims, del_max_depth: 4 } } : it)), at('depth_invalid', 2)),
  refused('another-sponsor', 'One human from end to end', claim(2, 'sub', 'spn_01m7w77j50fm7bryxempg1gknm'), at('principal_altered', 2)),
  refused('back-to-the-first', 'The key of the root again', claim(3, 'cnf', { jkt: keyOf(0).jkt }), at('holder_repeated', 3)),
  refused('to-itself', 'The key of the signer again', claim(3, 'cnf', { jkt: keyOf(2).jkt }), at('holder_repeated', 3)),
  { name: 'a-purpose-of-no-vocabulary', about: 'Below its parent, and unknown', chain: exampleDrafts(), purposes: PURPOSES.slice(0, 3), expected: at('unknown_purpose', 3, 'purpose') },
  { name: 'a-delegate-not-admitted', about: 'The consent names whom it admits', chain: exampleDrafts(), delegates: [AGENTS[1] ?? '', AGENTS[3] ?? ''], expected: at('delegate_not_allowed', 2, 'client_id') },
  { name: 'over', about: 'exp is the first second that is over', chain: exampleDrafts(), now: 1_795_256_280, expected: at('expired', 3, 'exp') },
  refused('an-ancestor-over', 'A live leaf under a hop that is over', claim(1, 'exp', NOW), at('expired', 1, 'exp')),
  refused('not-yet', 'nbf is to come', claim(2, 'nbf', NOW + 1), at('expired', 2, 'nbf')),
  refused('longer-than-its-parent', 'exp one second after that of its parent', claim(2, 'exp', 1_795_263_301), at('expired', 2, 'exp')),
  refused('earlier-than-its-parent', 'nbf one second before that of its parent', but(1, () => 0).map((it, hop) => ({ ...it, claims: { ...it.claims, ...[{}, { nbf: NOW - 10 }, {}, { nbf: NOW - 11 }][hop] } })), at('expired', 3, 'nbf')),
  { name: 'shown-by-another-agent', about: 'The leaf names another', chain: exampleDrafts(), presenter: [AGENTS[2] ?? '', keyOf(3).jkt], expected: at('holder_binding_failed', 3) },
  { name: 'shown-with-another-key', about: 'The leaf is bound to another', chain: exampleDrafts(), presenter: [AGENTS[3] ?? '', keyOf(2).jkt], expected: at('holder_binding_failed', 3) },
  { name: 'a-parents-hop-shown-by-its-child', about: 'Nobody skips its own hop', chain: upTo(3), presenter: leaf, expected: at('holder_binding_failed', 2) },
  ...[null, 0, 1, 2, 3].map((hop) => ({ name: `stopped-at-${hop === null ? 'the-consent' : String(hop)}`, about: 'Stopped, there or above', chain: exampleDrafts(), revoked: [{ hop, state: 'revoked' }], expected: at('revoked', hop) })),
  { name: 'stopped-twice', about: 'The consent is looked at before any token', chain: exampleDrafts(), revoked: [{ hop: 2, state: 'unknown' }, { hop: null, state: 'revoked' }], expected: at('revoked', null) },
  ...ORDERED,
  { name: 'nobody-knows-whether-it-was-stopped', about: 'A state that cannot be read is no good state', chain: exampleDrafts(), revoked: [{ hop: 1, state: 'unknown' }], expected: at('status_unknown', 1) },
  refused('for-another-broker', 'aud is the one that verifies', claim(2, 'aud', 'https://other.example'), at('audience_mismatch', 2, 'aud')),
]
