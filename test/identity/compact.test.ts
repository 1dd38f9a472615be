import { expect, it } from 'vitest'
import { takeApart } from '../../src/identity/compact.ts'

const part = (text: string) => Buffer.from(text).toString('base64url')
const token = [part('{"alg":"ES256"}'), part('{"a":1}'), part('signature')].join('.')

it('a token is read up to the last byte it may have', () => {
  const { header, claims, input, signature } = takeApart(token, token.length)
  expect([header, claims]).toEqual([{ alg: 'ES256' }, { a: 1 }])
  expect(`${input}.${signature.toString('base64url')}`).toBe(token)
  expect(() => takeApart(token, token.length - 1)).toThrow('too_large')
})

it.each([
  ['two parts', token.split('.').slice(0, 2).join('.')],
  ['one part', part('{}')],
  ['four parts', `${token}.`],
  ['nothing', ''],
])('a token is three parts, and not %s', (_what, text) => {
  expect(() => takeApart(text, 4096)).toThrow('format')
})

it.each([
  ['format', [part('[]'), part('{}'), '']],
  ['payload_not_object', [part('{}'), part('[]'), '']],
  ['bad_signature', [part('{}'), part('{}'), 'A=']],
  ['format', [part('{"crit":[]}'), part('{}'), '']],
  ['format', [part('{"zip":"DEF"}'), part('{}'), '']],
])('is refused with %s for its part', (reason, parts) => {
  expect(() => takeApart(parts.join('.'), 4096)).toThrow(reason)
})
