/** What parsing finds: limits, JSON, members, canonical bytes, shapes. */
import { AGENTS, exampleDrafts, hopDraft, ISSUED, keyOf, rootDraft } from '../chain/example.ts'
import { seal } from '../chain/making.ts'
import { but, type Case, claim, detail, header, refused, spelt } from './cases.ts'

const at = (hop: number | null, outcome = 'malformed') => ({ outcome, hop })
const bound = (of: object) => detail(2, ({ constraints }) => constraints.push({ ...of }))
const scope = (...added: string[]) => detail(1, ({ scopes }) => scopes.push(...added))
const example = seal(exampleDrafts())
const nine = [...example, ...example, example[0] ?? '']
const session = {
  ...rootDraft().claims,
  ...{ iss: 'https://broker.example', del_depth: undefined, del_max_depth: undefined },
  ...{ act: { sub: AGENTS[0] }, exp: ISSUED + 600 },
}

const MEMBERS: readonly (readonly [string, string, Case['chain'], number])[] = [
  ['an-extra-claim', 'A claim that is in no table', claim(1, 'note', 'x'), 1],
  ['an-extra-claim-at-the-leaf', 'The same, at the leaf', claim(3, 'status', {}), 3],
  ['an-extra-header', 'jku would point to another key', header(1, 'jku', 'https://evil.example'), 1],
  ['a-critical-header', 'crit changes how the rest is read', header(2, 'crit', ['b64']), 2],
  ['a-kid-in-a-hop', 'A hop brings its key, and no name of one', header(1, 'kid', 'rot-2026-11'), 1],
  ['no-key-in-a-hop', 'The key is what its thumbprint is taken of', header(1, 'jwk', undefined), 1],
  ['a-private-key', 'A jwk has exactly the members that make it', header(1, 'jwk', { ...keyOf(0).jwk, d: 'x' }), 1],
  ['another-curve', 'P-256 and Ed25519, and no other', header(1, 'jwk', { ...keyOf(0).jwk, crv: 'P-384' }), 1],
  ['the-long-typ', 'typ is the short form', header(1, 'typ', 'application/at+jwt'), 1],
  ['another-canonical-form', 'c14n says JCS or is absent', header(1, 'c14n', 'C14N'), 1],
  ['no-cnf', 'A token is bound to a key', claim(1, 'cnf', undefined), 1],
  ['more-in-cnf', 'cnf has jkt and no other member', claim(1, 'cnf', { jkt: keyOf(1).jkt, kid: 'x' }), 1],
  ['a-thumbprint-with-spare-bits', 'The last character of 32 octets has two bits that are zero', claim(1, 'cnf', { jkt: `${keyOf(1).jkt.slice(0, 42)}B` }), 1],
  ['a-time-as-text', 'Times are integers', claim(1, 'exp', '1795263300'), 1],
  ['a-time-with-a-fraction', 'Times are integers', claim(1, 'exp', 1_795_263_300.5), 1],
  ['a-negative-time', 'Times are counted from 1970', claim(1, 'iat', -1), 1],
  ['a-long-purpose', '64 characters at most', claim(1, 'purpose', `support.${'x'.repeat(57)}`), 1],
  ['a-long-audience', 'Strings have 1,024 bytes at most', claim(1, 'aud', 'x'.repeat(1025)), 1],
  ['an-audience-list', 'aud is a string', claim(1, 'aud', ['https://broker.example']), 1],
  ['a-short-jti', 'jti has 16 characters or more', claim(1, 'jti', 'short'), 1],
  ['no-purpose', 'Every hop names its own', claim(2, 'purpose', undefined), 2],
  ['a-purpose-in-upper-case', 'Not of the grammar, so in no vocabulary', claim(2, 'purpose', 'Support'), 2],
  ['an-agent-in-full-width', 'Ids are ASCII, in one spelling', claim(2, 'client_id', 'agt_０1m7w77j52ebmvakg1jsjb5f75'), 2],
  ['an-agent-with-a-zero-width-space', 'Ids are ASCII, in one spelling', claim(2, 'client_id', `${AGENTS[2] ?? ''}\u200b`), 2],
  ['an-agent-with-a-newline', 'The end of a text is its end', claim(2, 'client_id', `${AGENTS[2] ?? ''}\n`), 2],
  ['a-sponsor-of-another-kind', 'sub is a person', claim(2, 'sub', AGENTS[2]), 2],
  ['two-details', 'One delegation, not two', but(2, ({ claims }) => (claims['authorization_details'] as unknown[]).push({ type: 'agent_delegation', scopes: [], constraints: [] })), 2],
  ['no-detail', 'One delegation, not none', claim(2, 'authorization_details', []), 2],
  ['another-type-of-detail', 'An agent_delegation', detail(2, (it) => (it['type'] = 'payment')), 2],
  ['more-in-the-detail', 'A detail is closed', detail(2, (it) => (it['locations'] = [])), 2],
  ['no-constraints', 'constraints may be [], not absent', detail(2, (it) => Reflect.deleteProperty(it, 'constraints')), 2],
  ['scopes-null', 'null is no list', detail(2, (it) => (it.scopes = null as never)), 2],
  ['a-root-with-nbf', 'nbf is of hops only', claim(0, 'nbf', ISSUED), 0],
  ['a-root-with-a-model', 'model is of sessions', claim(0, 'model', 'x'), 0],
  ['a-root-with-a-key', 'A root is signed by a key that is known by name', header(0, 'jwk', keyOf(0).jwk), 0],
  ['a-root-without-del-max-depth', 'What may be handed on, and how far, is stated', claim(0, 'del_max_depth', undefined), 0],
  ['a-root-for-one-token', 'del_max_depth is 2 at least', claim(0, 'del_max_depth', 1), 0],
  ['a-root-for-nine-tokens', 'del_max_depth is 8 at most', claim(0, 'del_max_depth', 9), 0],
  ['a-root-with-a-parent', 'A first token that names a parent is a hop', claim(0, 'par_hash', keyOf(0).jkt), 0],
  ['a-session-as-root', 'A session is never a member of a chain', but(0, (draft) => (draft.claims = session)), 0],
  ['a-root-as-hop', 'Only the first is a root', [rootDraft(), rootDraft()], 1],
  ['a-hop-as-root', 'A hop that names no parent is nothing', [hopDraft(1, { par_hash: undefined })], 0],
]

const SHAPES: readonly (readonly [string, string, Case['chain'], number])[] = [
  ['a-bare-star', '* alone is no scope', scope('*'), 1],
  ['a-star-in-a-name', 'A star stands for whole segments', scope('crm.re*'), 1],
  ['a-star-in-the-middle', 'A star stands at the end', scope('crm.*.read'), 1],
  ['a-name-in-upper-case', 'It would be taken for a name', scope('CRM.Read'), 1],
  ['a-scope-twice', 'A scope is stated once', scope('payments.refund'), 1],
  ['65-scopes', '64 at most', scope(...Array.from({ length: 63 }, (_, n) => `crm.x${String(n)}`)), 1],
  ['a-constraint-twice', 'Key and type are stated once', bound({ key: 'payments.refund#args.amount', max: 1 }), 2],
  ['a-rank-without-order', 'rank has order', bound({ key: 'args.a', rank: 'low' }), 2],
  ['a-rank-that-is-not-in-its-order', 'rank is one of order', bound({ key: 'args.a', rank: 'x', order: ['low', 'high'] }), 2],
  ['an-open-prefix', 'A prefix ends in / . or :', bound({ key: 'args.a', prefix: 'reports' }), 2],
  ['a-prefix-with-a-dot-segment', 'A prefix is clean', bound({ key: 'args.a', prefix: 'reports/../' }), 2],
  ['calls-with-max', 'calls only adds up', bound({ key: 'calls', max: 1 }), 2],
  ['ttl-with-min', 'ttl_seconds only has an upper bound', bound({ key: 'ttl_seconds', min: 1 }), 2],
  ['two-types', 'One type a constraint', bound({ key: 'args.a', max: 1, min: 0 }), 2],
  ['more-in-a-constraint', 'A constraint is closed', bound({ key: 'args.a', max: 1, note: 'x' }), 2],
  ['no-type', 'One type a constraint', bound({ key: 'args.a' }), 2],
  ['an-element-twice', 'Elements are distinct', bound({ key: 'args.a', one_of: ['x', 'x'] }), 2],
  ['a-list-among-elements', 'Elements are scalars', bound({ key: 'args.a', one_of: [['x']] }), 2],
  ['a-negative-total', 'Totals are counted from zero', bound({ key: 'calls', max_subtree: -1 }), 2],
  ['a-total-with-a-fraction', 'Totals are integers', bound({ key: 'args.a', max_lifetime: 1.5 }), 2],
  ['a-max-as-text', 'Bounds are numbers', bound({ key: 'args.a', max: '5' }), 2],
]

export const BYTES: readonly Case[] = [
  ...[...MEMBERS, ...SHAPES].map(([name, about, chain, hop]) => refused(name, about, chain, at(hop))),
  refused('2-to-the-53', 'An integer that would not survive being read', spelt(1, '1795263300', '9007199254740992'), at(1)),
  refused('minus-zero', 'A number that reads as another', spelt(1, '"del_depth":1', '"del_depth":-0'), at(1)),
  refused('no-json', 'A payload that is text', but(1, (it) => (it.spellClaims = () => 'claims')), at(1)),
  refused('a-list', 'A payload that is a list', but(1, (it) => (it.spellClaims = () => '[]')), at(1)),
  refused('a-lone-surrogate', 'A text that is no Unicode', spelt(1, 'hop1-', '\\ud800'), at(1)),
  refused('a-long-string', 'Strings have 1,024 bytes at most', bound({ key: 'args.a', eq: 'x'.repeat(1025) }), at(2)),
  refused('a-long-token', 'A token has 8 KiB at most', bound({ key: 'args.a', one_of: Array.from({ length: 8 }, (_, n) => String(n).repeat(1000)) }), at(2)),
  refused('padding', 'Base64url without padding', but(1, (it) => (it.onTheWay = (text) => `${text}==`)), at(1)),
  refused('spare-bits', 'Unused bits are zero', but(3, (it) => (it.onTheWay = (text) => `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'x'}`)), at(3)),
  refused('two-parts', 'A token has three parts', but(1, (it) => (it.onTheWay = (text) => text.slice(0, text.lastIndexOf('.')))), at(1)),
  refused('white-space', 'There is none between tokens', but(1, (it) => (it.onTheWay = (text) => ` ${text}`)), at(1)),
  refused('an-empty-part', 'Nothing between two joints', [example[0] ?? '', '', example[1] ?? ''], at(1)),
  refused('nine-tokens', 'Eight at most; nothing is read', nine, at(null)),
  refused('the-first-fault-in-the-chain', 'Of two faults the one nearer the root', [rootDraft(), ...claim(2, 'note', 'x').slice(1, 3), ...spelt(3, '{', '{ ').slice(3)], at(2)),
  refused('members-before-bytes', 'An unknown member in a payload that is not canonical either', but(1, (it) => { it.claims['note'] = 'x'; it.spellClaims = (text) => ` ${text}` }), at(1)),

  { ...refused('at-a-depth-that-its-first-token-says', 'Of a chain whose first tokens nobody knows', claim(3, 'note', 'x'), at(3)), leaveOut: 1, isForgotten: true },

  refused('a-space', 'Validly signed, and not JCS', spelt(1, '{', '{ '), at(1, 'non_canonical')),
  refused('the-order-of-members', 'Validly signed, and not JCS', but(2, (it) => (it.spellClaims = () => JSON.stringify({ sub: it.claims['sub'], ...it.claims, par_hash: keyOf(0).jkt }))), at(2, 'non_canonical')),
  refused('one-point-zero', 'A number in another spelling', spelt(1, '1795263300', '1795263300.0'), at(1, 'non_canonical')),
  refused('an-escape-for-a-letter', 'A text in another spelling', spelt(1, '"aud"', '"\\u0061ud"'), at(1, 'non_canonical')),
  refused('a-space-in-the-header', 'The header too', but(1, (it) => (it.spellHeader = (text) => `${text} `)), at(1, 'non_canonical')),
  refused('a-space-in-the-root', 'The root too', spelt(0, '{', '{ '), at(0, 'non_canonical')),

  refused('a-claim-twice', 'Two readers could each take another', spelt(1, '"sub":', '"sub":"x","sub":'), at(1, 'duplicate_member')),
  refused('a-claim-twice-in-disguise', 'Names are compared unescaped', spelt(1, '"sub":', '"\\u0073ub":"x","sub":'), at(1, 'duplicate_member')),
  refused('scopes-twice', 'At any depth', spelt(2, '"scopes":', '"scopes":["crm.*"],"scopes":'), at(2, 'duplicate_member')),
  refused('alg-twice', 'In the header too', but(1, (it) => (it.spellHeader = (text) => text.replace('{', '{"alg":"none",'))), at(1, 'duplicate_member')),

  refused('nan', 'Not a number', spelt(1, '1795263300', 'NaN'), at(1, 'non_finite')),
  refused('infinity', 'Not finite', spelt(1, '1795263300', '-Infinity'), at(1, 'non_finite')),
  refused('beyond-all-numbers', 'Not finite when read', spelt(1, '1795263300', '1e999'), at(1, 'non_finite')),

  refused('another-type', 'A type that is in no table', bound({ key: 'args.geo', geo_fence: 'EU' }), at(2, 'unknown_constraint')),
  refused('another-type-in-the-root', 'In any token', detail(0, ({ constraints }) => constraints.push({ key: 'args.geo', geo_limit: 1 })), at(0, 'unknown_constraint')),
  refused('another-key', 'A key of no form in the table', bound({ key: 'amount', max: 1 }), at(2, 'unknown_constraint')),
  refused('another-key-behind-a-tool', 'A key of no form in the table', bound({ key: 'crm.*#calls', max_subtree: 1 }), at(2, 'unknown_constraint')),
  refused('a-key-with-a-newline', 'The end of a text is its end', bound({ key: 'args.a\n', max: 1 }), at(2, 'unknown_constraint')),
]
