/** Expressions at random, right and wrong, in the words of the shipped schema. */
import type { Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import fc from 'fast-check'

const attributes = ['purpose', 'depth', 'approved', 'facts', 'verbs', 'opaque', 'amount_minor']
const others = ['groups', 'sponsor', 'tier', 'tier_attested', 'risk', 'target', 'nowhere']
const attr = fc.constantFrom(...attributes, ...others)
const text = fc.constantFrom(
  '',
  'support',
  'support.refunds',
  'a*b',
  'é😀',
  '*',
  'select',
  '__proto__',
)
const whole = fc.constantFrom(0, 1, -1, 3, 10_000, 9007199254740991, -9007199254740991)
const uid = fc.record({
  type: fc.constantFrom('Sponsor', 'Agent', 'Tool', 'ToolGroup'),
  id: fc.constantFrom('somebody', 'elsewhere', 'another', 'sql'),
})
const pattern = fc.array(
  fc.oneof(
    fc.constant('Wildcard' as const),
    fc.constantFrom(...'supor.é*').map((Literal) => ({ Literal })),
  ),
  { maxLength: 6 },
)

/** `and`, `has` and the like come often enough that much is satisfied, and fails late. */
const { any } = fc.letrec<{ any: Expr }>((tie) => {
  const one = tie('any')
  const pair = fc.record({ left: one, right: one })
  const operator = (name: string, operand: fc.Arbitrary<unknown>) =>
    operand.map((value) => ({ [name]: value }) as unknown as Expr)
  const path = fc
    .tuple(
      fc.constantFrom('principal', 'resource', 'context', 'action'),
      fc.array(attr, { maxLength: 3 }),
    )
    .map(([Var, names]) =>
      (Var === 'context' && names.length === 0 ? ['facts'] : names).reduce<Expr>(
        (left, name) => ({ '.': { left, attr: name } }),
        { Var },
      ),
    )
  const leaf = fc.oneof(
    path,
    path,
    operator(
      'Value',
      fc.oneof(
        text,
        whole,
        fc.boolean(),
        uid.map((it) => ({ __entity: it })),
      ),
    ),
  )
  const comparing = ['==', '!=', '<', '<=', '>', '>=', '+', '-', '*', 'in']
  const setwise = ['contains', 'containsAll', 'containsAny']
  return {
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true, maxDepth: 5 },
      leaf,
      ...['&&', '||', ...comparing, ...setwise].map((name) => operator(name, pair)),
      operator('!', fc.record({ arg: one })),
      operator('neg', fc.record({ arg: one })),
      operator('isEmpty', fc.record({ arg: one })),
      operator('if-then-else', fc.record({ if: one, then: one, else: one })),
      operator('has', fc.record({ left: path, attr })),
      operator(
        'has',
        fc.record({ left: path, attr: fc.array(attr, { minLength: 1, maxLength: 3 }) }),
      ),
      operator('like', fc.record({ left: one, pattern })),
      operator('is', fc.record({ left: one, entity_type: fc.constantFrom('Agent', 'Sponsor') })),
      operator('Set', fc.array(one, { maxLength: 4 })),
      operator('Record', fc.dictionary(fc.constantFrom('a', 'b', 'facts'), one, { maxKeys: 2 })),
    ),
  }
})

const who = fc.oneof(
  fc.constant({ op: 'All' as const }),
  fc.constantFrom('Sponsor', 'Agent').map((type) => ({ op: 'is' as const, entity_type: type })),
  uid.map((entity) => ({ op: '==' as const, entity })),
)
const where = fc.oneof(
  fc.constant({ op: 'All' as const }),
  uid.map((entity) => ({ op: 'in' as const, entity })),
)
const actions = ['consent', 'payments.refund', 'sql.query'].map((id) => ({ type: 'Action', id }))
const what = fc.oneof(
  fc.constant({ op: 'All' as const }),
  fc.constantFrom(...actions).map((entity) => ({ op: '==' as const, entity })),
  fc.subarray(actions, { minLength: 1 }).map((entities) => ({ op: 'in' as const, entities })),
)

/** One policy of any kind that is compiled; whether it makes sense is another matter. */
export const somePolicy: fc.Arbitrary<PolicyJson> = fc.record({
  effect: fc.constantFrom('permit' as const, 'forbid' as const),
  principal: who,
  action: what,
  resource: where,
  conditions: fc.array(
    fc.record({ kind: fc.constantFrom('when' as const, 'unless' as const), body: any }),
    { maxLength: 2 },
  ),
})
