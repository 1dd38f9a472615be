import { expect, it } from 'vitest'
import type { Authority } from '../../src/domain/authority.ts'
import { authorityHash } from '../../src/domain/authority-hash.ts'
import { digestOf } from '../../src/domain/digest.ts'

const authority: Authority = {
  ...{ scopes: ['crm.*', 'payments.refund'], purpose: 'support' },
  constraints: [
    { key: 'calls', max_subtree: 9 },
    { key: 'args.a', max: 5 },
    { key: 'args.a', eq: 5 },
  ],
}

it('an authority has one digest, however its constraints were listed', () => {
  const { scopes, purpose } = authority
  const constraints = [
    { key: 'args.a', eq: 5 },
    { key: 'args.a', max: 5 },
    { key: 'calls', max_subtree: 9 },
  ]
  const hash = authorityHash(authority)
  expect(hash).toBe(digestOf({ scopes: [...scopes], purpose, constraints }))
  const turned = { ...authority, constraints: authority.constraints.toReversed() }
  expect(authorityHash(turned)).toBe(hash)
})

it('how deep it may be handed on is part of it, where it may be', () => {
  const [four, five] = [4, 5].map((delMaxDepth) => authorityHash({ ...authority, delMaxDepth }))
  expect(new Set([authorityHash(authority), four, five]).size).toBe(3)
})
