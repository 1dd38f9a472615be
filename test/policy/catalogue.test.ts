import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { readCall } from '../../src/policy/call.ts'
import { readCatalogue } from '../../src/policy/catalogue.ts'
import { readPurposes } from '../../src/policy/purposes.ts'
import { cedarSchema } from '../../src/policy/schema.ts'
import { files, parse } from './world.ts'

const { catalogue } = readCatalogue(files, parse)
const { purposes } = readPurposes(files)
const refund = { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' }
const read = (tool: string, args: JsonObject, purpose?: string) =>
  readCall(catalogue, purposes, { tool, arguments: args, purpose })

function refusal(call: () => unknown): BrokerError {
  try {
    call()
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
  throw new Error('it was not refused')
}

const declaredAs = (change: (text: string) => string) => {
  const text = change(files['tools/payments.refund.yaml'] ?? '')
  return readCatalogue({ ...files, 'tools/payments.refund.yaml': text }, parse)
}

describe('a call', () => {
  it('is of a declared tool, with its arguments as sent, their digest, and facts of them', () => {
    expect(read('payments.refund', refund, 'support.refunds')).toMatchObject({
      arguments: refund,
      argsHash: '-tjnSW1RMBrdHWdz2N6Wnh6qxlNK4MYWsNi6OruJ21s', // the example of the contract
      facts: { amount_minor: 900, currency: 'EUR', order_id: 'EU-2026/10231' },
      purpose: 'support.refunds',
      ttlSeconds: 60,
    })
  })

  it.each(['nope', 'SQL.query', 'sql.query.', 'sql', '__proto__', 'constructor', 'toString', ''])(
    'of %j is of no tool',
    (tool) => {
      expect(refusal(() => read(tool, {})).code).toBe('unknown_tool')
    },
  )

  it.each(['support.nothing', 'Support', '__proto__', ''])('for %j has no purpose', (purpose) => {
    expect(refusal(() => read('payments.refund', refund, purpose)).code).toBe('unknown_purpose')
  })

  it.each<[string, JsonObject, string, string]>([
    ['is missing', { order_id: 'EU-2026/1', currency: 'EUR' }, '/arguments/amount', 'invalid_type'],
    ['is of another type', { ...refund, amount: '900' }, '/arguments/amount', 'invalid_type'],
    ['is broken', { ...refund, amount: 9.5 }, '/arguments/amount', 'invalid_type'],
    ['is too small', { ...refund, amount: 0 }, '/arguments/amount', 'too_small'],
    ['is not on the list', { ...refund, currency: 'CHF' }, '/arguments/currency', 'invalid_value'],
    [
      'has a wrong form',
      { ...refund, order_id: 'secret-4711' },
      '/arguments/order_id',
      'invalid_format',
    ],
    ['is unknown', { ...refund, 'is/admin': true }, '/arguments/is~1admin', 'unknown_member'],
  ])(
    '[ARG] whose argument %s is refused by place and rule, never by value',
    (_what, args, pointer, rule) => {
      const { code, shown } = refusal(() => read('payments.refund', args))
      expect(code).toBe('arguments_invalid')
      expect(shown.errors).toEqual([{ pointer, rule }])
      expect(JSON.stringify(shown)).not.toContain('4711')
    },
  )
})

describe('a declaration', () => {
  it('has a hash that any change of meaning changes, and a change of spelling does not', () => {
    const hash = (found: ReturnType<typeof declaredAs>) =>
      found.catalogue.get('payments.refund')?.tool.hash
    const before = hash(declaredAs((text) => text))
    expect(hash(declaredAs((text) => `# a remark\n${text}`))).toBe(before)
    expect(hash(declaredAs((text) => text.replace('max: 120', 'max: 121')))).not.toBe(before)
    expect(hash(declaredAs((text) => text.replace('payments.example', 'evil.example')))).not.toBe(
      before,
    )
  })

  it.each([
    ['a default for an argument', 'minimum: 1,', 'minimum: 1, default: 5,', 'default'],
    ['a keyword that is not understood', 'minimum: 1,', 'multipleOf: 5,', 'multipleOf'],
    ['an open object', 'type: object\n', 'type: object\n  additionalProperties: true\n', 'closed'],
    ['something required that is not declared', 'required: [', 'required: [toString, ', 'declared'],
    ['a choice of another type', 'enum: [EUR,', 'enum: [5, EUR,', 'currency.enum.0'],
    ['a pattern that is no pattern', '^[A-Z]{2}', '(^[A-Z]{2}', 'regular expression'],
    ['a fact of an optional argument', 'amount_minor: amount', 'amount_minor: note', 'facts need'],
    ['an unknown member', 'risk: high', 'risk: high\nscope: all', 'scope'],
    ['an unknown connector', 'connector: jwt', 'connector: magic', 'connector'],
    [
      'a token without its key',
      'sender_constraint: dpop',
      'sender_constraint: none',
      'bound to its key',
    ],
    [
      'a claim that is the broker’s',
      'audience: https://payments.example',
      'audience: https://payments.example\n  claims: { sub: order_id }',
      'broker sets it',
    ],
    ['a life beyond an hour', 'max: 120', 'max: 7200', 'ttl_seconds'],
  ])('is refused for %s', (_what, before, after, what) => {
    const { findings } = declaredAs((text) => text.replace(before, after))
    expect(findings.map((one) => one.what).join('\n')).toContain(what)
  })
})

describe('the schema', () => {
  it('has a digest that follows the tools', () => {
    const { catalogue: other } = declaredAs((text) => text.replace('amount_minor', 'minor'))
    expect(cedarSchema(other).hash).not.toBe(cedarSchema(catalogue).hash)
  })
})
