import { describe, expect, it } from 'vitest'
import { isExternal, readPurposes } from '../../src/policy/purposes.ts'

const read = (text: string) => readPurposes({ 'purposes.yaml': text })
const vocabulary = `
support: To help a customer.
support.orders: To answer a question about an order.
support.mail: { says: To answer a letter, trigger: external }
support.mail.refund: To look at what a letter asks for.
supporters: To thank them.
`

describe('the vocabulary of purposes', () => {
  it.each([
    ['support', false],
    ['support.orders', false],
    ['support.mail', true],
    ['support.mail.refund', true],
    ['supporters', false],
    ['support.mail.refund.small', true],
    ['nowhere', true],
  ])('says whether %s is triggered from outside, what is not declared for such: %s', (name, is) => {
    expect(isExternal(read(vocabulary).purposes, name)).toBe(is)
  })

  it('tells what it was handed, whichever way it was written', () => {
    const { purposes, findings } = read(vocabulary)
    expect(findings).toEqual([])
    expect(purposes.get('support.mail')).toEqual({
      ...{ name: 'support.mail', says: 'To answer a letter', isExternal: true },
    })
    expect(purposes.get('support')).toMatchObject({ says: 'To help a customer.' })
  })

  it.each([
    ['another trigger', 'a: { says: To do it, trigger: internal }'],
    ['another member', 'a: { says: To do it, trigger: external, level: 3 }'],
    ['no sentence', 'a: { trigger: external }'],
  ])('has none with %s', (_what, text) => {
    expect(read(text).findings).not.toEqual([])
  })
})
