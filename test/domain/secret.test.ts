import { format, inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'

describe('a secret', () => {
  it('does not print, log or serialise, alone or inside something', () => {
    const secret = new Secret('hunter2')
    const holder = { nested: [secret] }
    const prints = [
      String(secret),
      JSON.stringify(holder),
      inspect(holder, { depth: 9, showHidden: true }),
      format('%s %o %j', secret, secret, holder),
      Object.values(secret).join(''),
    ]
    expect(prints.join('\n')).not.toContain('hunter2')
    expect(secret.reveal()).toBe('hunter2')
  })
})
