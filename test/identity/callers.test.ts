/** What is kept of a session that was shown before, and for how long. */
import { beforeAll, expect, it, vi } from 'vitest'
import type { KeySet } from '../../src/domain/jws.ts'
import { MAX_BYTES } from '../../src/identity/third-party.ts'
import { aHolder } from './signing.ts'
import { aWorld, CI, ourKey, refusalOf, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await aWorld()
  world.aConsent(await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'repo' }))
})

/** A broker with these keys, of which it counts how often they verify; and a session of its. */
async function aShown(kids: readonly [string, ...string[]] = ['one']) {
  let verified = 0
  const counted = (kid: string): KeySet[0] => {
    const key = ourKey(kid)
    return Object.defineProperty({ ...key }, 'publicKey', {
      get() {
        verified += 1
        return key.publicKey
      },
    })
  }
  const [first, ...others] = kids.map(counted)
  if (first === undefined) throw new RangeError('no key')
  const replica = world.aReplica([first, ...others])
  const holder = aHolder()
  const opened = await world.session(holder, world.ciToken('repo'), {}, { at: replica })
  const token = opened.accessToken.reveal()
  const call = () => replica.authenticate(world.called(holder, token))
  return { replica, holder, token, call, verified: () => verified }
}

it.each([[['one'] as const], [['one', 'two'] as const]])(
  'a session is verified once, whichever keys there are: %j',
  async (kids) => {
    const { call, verified } = await aShown(kids)
    const before = verified()
    await call()
    expect(verified()).toBe(before + 1)
    await call()
    await call()
    expect(verified()).toBe(before + 1)
  },
)

it('one that was shown before is over when it is over, at that very moment', async () => {
  const { call, replica, token } = await aShown()
  const { session } = await call()
  vi.useFakeTimers({ toFake: ['Date'] })
  try {
    vi.setSystemTime(session.expiresAt.getTime() - 1)
    expect(replica.sessionIn(token)).toEqual(session)
    vi.setSystemTime(session.expiresAt)
    expect(await refusalOf(call())).toBe('invalid_token: expired')
    expect(replica.sessionIn(token)).toBeNull()
  } finally {
    vi.useRealTimers()
  }
})

it('what is no live session of ours is nobody’s; what is no text is a mistake of ours', async () => {
  const { replica, token } = await aShown()
  for (const text of ['', 'x', `${token}x`, world.ciToken('repo'), 'x'.repeat(100_000)]) {
    expect(replica.sessionIn(text)).toBeNull()
  }
  expect(() => replica.sessionIn(undefined as unknown as string)).toThrow(TypeError)
})

it('whoever shows nothing at all is not asked for a proof, and nothing long is looked at', async () => {
  const { replica, holder, token } = await aShown()
  const said = (shown: string, as: Parameters<World['called']>[2] = {}) =>
    refusalOf(replica.authenticate(world.called(holder, shown, as)))
  const nothing = { authorization: null, dpop: null }
  expect(await said(token, nothing)).toBe('invalid_token: no_session')
  expect(await said('x'.repeat(MAX_BYTES))).toBe('invalid_token: format')
  expect(await said('x'.repeat(MAX_BYTES + 1))).toBe('invalid_token: too_large')
})

it('whoever was recognised is told of, once their proof is used up', async () => {
  const { replica, holder, token } = await aShown()
  const told: unknown[] = []
  const call = world.called(holder, token, { recognised: (who) => told.push(who) })
  const { session } = await replica.authenticate(call)
  const who = { kind: 'agent', id: session.agent, sponsor: session.sponsor }
  expect(told).toEqual([who])
  expect(await refusalOf(replica.authenticate(call))).toBe('invalid_dpop_proof/dpop_replay')
  expect(told).toEqual([who])
})
