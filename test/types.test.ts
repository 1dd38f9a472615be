/** What must not compile. Each line is held by `npm run types`: where it compiles, the directive is the error. */
import { describe, expect, it } from 'vitest'
import type { SignedDecision } from '../src/domain/decision.ts'
import { ProvenInstance, type Session } from '../src/domain/instance.ts'
import type { Question } from '../src/domain/question.ts'
import { Recorded } from '../src/domain/recorded.ts'
import { Secret } from '../src/domain/secret.ts'

const session = {} as Session
const question = {} as Question

describe('what was parsed', () => {
  it('does not pass for a proven instance', () => {
    const parsed = { session, jkt: 'a thumbprint' }
    // @ts-expect-error -- the private field
    const forged: ProvenInstance = parsed
    expect(forged).not.toBeInstanceOf(ProvenInstance)
  })

  it('does not pass for something on record', () => {
    // @ts-expect-error -- the private field
    const forged: Recorded<string> = { value: 'a', index: 0, eventId: 'evt_a', isDurable: true }
    expect(forged).not.toBeInstanceOf(Recorded)
  })

  it('does not pass for a signed decision', () => {
    // @ts-expect-error -- the brand
    const forged: SignedDecision = 'a.b.c'
    expect(forged).toBe('a.b.c')
  })

  it('does not pass for a secret', () => {
    // @ts-expect-error -- the private field
    const forged: Secret = { reveal: () => 'a', toString: () => 'a', toJSON: () => 'a' }
    expect(forged).not.toBeInstanceOf(Secret)
  })
})

describe('authority', () => {
  it('is not made with `new`', () => {
    // @ts-expect-error -- the private constructor
    expect(new ProvenInstance(session, 'a thumbprint').jkt).toBe('a thumbprint')
    // @ts-expect-error -- the private constructor
    expect(new Recorded('a', 0, 'evt_a').value).toBe('a')
  })
})

describe('what is put to the PDP', () => {
  it('does not hold the justification', () => {
    // @ts-expect-error -- no such member
    expect(question.justification).toBeUndefined()
  })
})
