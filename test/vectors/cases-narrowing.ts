/** One field at a time: as tight as its parent, tighter, and a little wider. */
import { exampleDrafts } from '../chain/example.ts'
import { but, type Case, claim, detail, pair, refused } from './cases.ts'

type Bound = Record<string, unknown>
const LEVELS = ['low', 'medium', 'high']
/** What the parent has; what a child may have; what it may not. */
const BOUNDS: readonly (readonly [string, Bound, Bound, Bound])[] = [
  ['eq', { eq: 'EUR' }, { eq: 'EUR' }, { eq: 'GBP' }],
  ['eq-of-another-json-type', { eq: 5 }, { eq: 5 }, { eq: '5' }],
  ['one_of', { one_of: ['a', 'b'] }, { one_of: ['b'] }, { one_of: ['a', 'b', 'c'] }],
  ['not_one_of', { not_one_of: ['a'] }, { not_one_of: ['b', 'a'] }, { not_one_of: ['b'] }],
  ['prefix', { prefix: 'a/b/' }, { prefix: 'a/b/c/' }, { prefix: 'a/' }],
  ['prefix-of-a-sibling', { prefix: 'a/b/' }, { prefix: 'a/b/' }, { prefix: 'a/b2/' }],
  ['min', { min: 5 }, { min: 6 }, { min: 4 }],
  ['max', { max: 5 }, { max: 4 }, { max: 6 }],
  ['subset_of', { subset_of: ['a', 'b'] }, { subset_of: [] }, { subset_of: ['c'] }],
  ['max_length', { max_length: 5 }, { max_length: 0 }, { max_length: 6 }],
  ['rank', { rank: 'medium', order: LEVELS }, { rank: 'low', order: LEVELS }, { rank: 'high', order: LEVELS }],
  ['rank-in-another-order', { rank: 'medium', order: LEVELS }, { rank: 'medium', order: LEVELS }, { rank: 'low', order: ['low', 'medium'] }],
  ['max_lifetime', { max_lifetime: 5 }, { max_lifetime: 5 }, { max_lifetime: 6 }],
  ['max_subtree', { max_subtree: 5 }, { max_subtree: 4 }, { max_subtree: 6 }],
]

const wider = (field: string, hop = 1) => ({ outcome: 'not_narrower', hop, field })
const left = (constraints: Bound[], more: object = {}) => ({
  outcome: 'valid',
  effective: { scopes: ['crm.*'], purpose: 'support', constraints, del_max_depth: 4, ...more },
})
const on = (bound: Bound) => ({ constraints: [{ key: 'args.a', ...bound }] })

function both([name, above, tighter, looser]: (typeof BOUNDS)[number]): Case[] {
  const [type = ''] = Object.keys(above)
  const field = `constraints[args.a,${type}]`
  return [
    refused(`${name}-tighter`, 'As tight as its parent, or tighter', pair(on(above), on(tighter)), left(on(tighter).constraints)),
    refused(`${name}-looser`, 'A little wider than its parent', pair(on(above), on(looser)), wider(field)),
  ]
}

export const NARROWING: readonly Case[] = [
  ...BOUNDS.flatMap(both),
  refused('absent-is-inherited', 'A child that states no bound has its parent\'s', pair(on({ max: 100 }), {}), left(on({ max: 100 }).constraints)),
  refused('no-inference-across-types', 'A set above, one value below: both hold', pair(on({ one_of: ['EUR', 'GBP'] }), on({ eq: 'USD' })), left([{ key: 'args.a', eq: 'USD' }, { key: 'args.a', one_of: ['EUR', 'GBP'] }])),
  refused('no-inference-across-keys', 'A bound for all tools, a looser one for some: both hold', pair(on({ max: 5 }), { constraints: [{ key: 'crm.*#args.a', max: 9 }] }), left([{ key: 'args.a', max: 5 }, { key: 'crm.*#args.a', max: 9 }])),
  refused('no-scopes', '[] grants nothing, and is legal', pair({}, { scopes: [] }), left([], { scopes: [] })),
  refused('a-wildcard-below-a-wildcard', 'crm.* covers crm.customer.* and all below', pair({}, { scopes: ['crm.customer.*', 'crm.read', 'crm.a.b.c'] }), left([], { scopes: ['crm.customer.*', 'crm.read', 'crm.a.b.c'] })),
  refused('an-opaque-scope', 'It covers itself, byte for byte', pair({ scopes: ['https://x.example/y'] }, { scopes: ['https://x.example/y'] }), left([], { scopes: ['https://x.example/y'] })),
  refused('a-scope-added', 'Not covered by any of its parent', detail(1, ({ scopes }) => scopes.push('hr.read')), wider('scopes[2]')),
  refused('a-wildcard-under-a-name', 'crm.read covers crm.read', pair({ scopes: ['crm.read'] }, { scopes: ['crm.*'] }), wider('scopes[0]')),
  refused('the-stem-of-a-wildcard', 'crm.read.* does not cover crm.read', pair({ scopes: ['crm.read.*'] }, { scopes: ['crm.read'] }), wider('scopes[0]')),
  refused('a-name-that-begins-alike', 'A dot is a dot', pair({}, { scopes: ['crmx.read'] }), wider('scopes[0]')),
  refused('an-opaque-scope-in-another-case', 'Nothing is folded', pair({ scopes: ['https://x.example/y'] }, { scopes: ['https://X.example/y'] }), wider('scopes[0]')),
  refused('a-sibling-purpose', 'At its parent\'s, or below it', claim(2, 'purpose', 'support.returns'), wider('purpose', 2)),
  refused('a-broader-purpose', 'At its parent\'s, or below it', claim(2, 'purpose', 'support'), wider('purpose', 2)),
  refused('a-purpose-that-begins-alike', 'A dot is a dot', claim(2, 'purpose', 'support.refunds2'), wider('purpose', 2)),
  refused('more-depth', 'del_max_depth only falls', claim(1, 'del_max_depth', 5), wider('del_max_depth')),
  refused('wider-than-a-grandparent', 'What a hop inherits holds for its children', detail(3, ({ constraints }) => constraints.push({ key: 'ttl_seconds', max: 121 })), wider('constraints[ttl_seconds,max]', 3)),
  { ...refused('not-repeated', 'For those who want every bound repeated', exampleDrafts(), wider('constraints[payments.refund#args.amount,max_subtree]', 2)), repeat_constraints: true },
  { ...refused('repeated', 'For those who want every bound repeated', but(0, () => 0).slice(0, 2), { outcome: 'valid' }), repeat_constraints: true },
  refused('the-nearest-to-the-root', 'Of two faults in one step the one nearer the root', [...claim(1, 'purpose', 'sales').slice(0, 2), ...claim(2, 'del_max_depth', 5).slice(2)], wider('purpose')),
  refused('the-earlier-step', 'Of two faults the one that is found in an earlier step', claim(1, 'purpose', 'sales').map((it, hop) => (hop === 3 ? { ...it, claims: { ...it.claims, sub: 'spn_01m7w77j50fm7bryxempg1gknm' } } : it)), { outcome: 'principal_altered', hop: 3 }),
]
