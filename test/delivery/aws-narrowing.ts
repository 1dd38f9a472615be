/** What a session reaches at the real S3, held to the argument that it was made for. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { type AwsTarget, get, put } from './aws-rgw.ts'

const segment = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 40 })
  .filter((value) => !/[\0/]|\p{Surrogate}/u.test(value) && !/^(\.+|zz)$/.test(value))

/** @param issue a session to read what lies under this value */
export async function neverWider(
  at: Pick<AwsTarget, 'owner' | 'session'>,
  issue: (value: string) => Promise<Issued>,
  numRuns: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(segment, async (value) => {
      const mine = `${value}/mine`
      const near = [
        `${value}x/mine`,
        `x${value}/mine`,
        `${[...value].slice(0, -1).join('')}/mine`,
        'zz/mine',
      ]
      await put(at.owner, [mine, ...near])
      const issued = await issue(value).catch(orNothing)
      const session = issued && at.session(issued)
      // RGW reads no variables, and no other characters than these: what it does not understand
      // reaches nothing, rather than too much.
      if (/^[\w .,;"'<>(){}=+-]+$/.test(value)) {
        expect(session === null ? 'nothing' : await get(session, mine)).toBe('ok')
      }
      if (session === null) return
      for (const key of near) expect(await get(session, key)).not.toBe('ok')
    }),
    { numRuns, examples: [['*'], ['?'], ['a*'], ['"'], ['x","Resource":"*'], ['é']] },
  )
}

function orNothing(error: unknown): null {
  if (error instanceof NoEffect) return null
  throw error
}
