/** What the time of a refusal tells: nothing of who is registered. */
import { randomUUID, verify } from 'node:crypto'
import { beforeAll, expect, it } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import { attest } from '../../src/identity/assertions.ts'
import { createIssuers } from '../../src/identity/issuers.ts'
import type { ReplayStore } from '../../src/identity/replay.ts'
import { aHolder, type Holder, jwt } from '../identity/signing.ts'
import { aWorld, idp, ISS, JWT_BEARER, presented, type World } from '../identity/world.ts'

const PAIRS = 1000
const WARM_UP = 50

let world: World
beforeAll(async () => {
  world = await aWorld()
})

type Attempt = () => Promise<unknown>

/**
 * Microseconds that the one takes longer than the other, refused both times: the median over pairs,
 * taken in turns, so that what else goes on here falls on both alike.
 */
async function differenceOf(one: () => Attempt, other: () => Attempt): Promise<number> {
  const differences: number[] = []
  for (let n = -WARM_UP; n < PAIRS; n += 1) {
    const inTurn = n % 2 === 0
    const first = await timeOf(inTurn ? one() : other())
    const second = await timeOf(inTurn ? other() : one())
    if (n >= 0) differences.push(inTurn ? first - second : second - first)
  }
  return medianOf(differences)
}

async function timeOf(attempt: Attempt): Promise<number> {
  const since = performance.now()
  const isRefused = await attempt().then(
    () => false,
    () => true,
  )
  const micros = (performance.now() - since) * 1000
  expect(isRefused).toBe(true)
  return micros
}

const medianOf = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1] ?? 0

/** What there is to be seen: one verification of a signature, on this machine, now. */
function verificationMicros(): number {
  const { publicKey: key } = aHolder()
  const [input, signature] = [Buffer.alloc(300), Buffer.alloc(64, 1)]
  const times = Array.from({ length: PAIRS }, () => {
    const since = performance.now()
    verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature)
    return (performance.now() - since) * 1000
  })
  return medianOf(times)
}

/** A registered one that shows another key, and one that was never registered. */
interface Case {
  /** In verifications. Left out, it is the half of one. */
  readonly bound?: number
  readonly wrongKey: () => Attempt
  readonly unknown: () => Attempt
}

const CASES: Readonly<Record<string, () => Promise<Case>>> = {
  'an agent with a key of its own': async () => {
    const [own, stranger] = [aHolder(), aHolder()]
    const { kid: _, ...jwk } = own.jwk
    const agent = await world.anAgent({ kind: 'jwk', jwk })
    const attempt = (id: string) => () => () => anAssertion(world.ownJwt(id, stranger))
    // A row that is there has to be read: that much shows, and an id cannot be guessed.
    const unknown = attempt(newId('agt', world.clock()))
    return { wrongKey: attempt(agent.id), unknown, bound: 1 }
  },
  'a service': () => {
    const stranger = aHolder('ES256', 'shop')
    const attempt = (name: string) => () => {
      const token = serviceToken(name, stranger)
      return () => world.identity.service(presented({ authorization: `Bearer ${token}` }))
    }
    return Promise.resolve({ wrongKey: attempt('shop'), unknown: attempt('sho0') })
  },
  'a key of an issuer': () => {
    const attempt = (kid: string) => () => {
      const token = world.personToken('anna', {}, aHolder('ES256', kid))
      return () => world.identity.person(presented({ authorization: `Bearer ${token}` }))
    }
    return Promise.resolve({
      wrongKey: attempt(idp.jwk['kid'] ?? ''),
      unknown: attempt('other-kid'),
    })
  },
}

function serviceToken(name: string, by: Holder): string {
  const times = { iat: world.seconds(), exp: world.seconds() + 60 }
  return jwt(by, { iss: name, sub: name, aud: ISS, jti: randomUUID(), ...times })
}

function anAssertion(assertion: string): Promise<unknown> {
  const { identity, clock } = world
  const options = {
    issuer: ISS,
    agents: identity.agents,
    issuers: NO_ISSUERS,
    replay: UNUSED,
    clock,
  }
  return attest(options, { type: JWT_BEARER, assertion }, 'a-key')
}
const NO_ISSUERS = createIssuers({ people: [], workloads: [] }, () => new Date())
/** Nothing that is refused gets as far as being used up. */
const UNUSED = {
  useUp: () => Promise.reject(new Error('it was not refused')),
  isBoundTo: () => Promise.reject(new Error('it was not refused')),
  prune: () => Promise.resolve(),
} as unknown as ReplayStore

const WHO = Object.entries(CASES)

// The measure is what a check leaves out for those it does not know, not a share of the whole: that
// share shrinks as the machine gets busier, and a difference that is there would pass.
it.each(WHO)(
  '[ADM-14] %s: unknown, or known and wrong, takes the same time',
  async (_who, prepare) => {
    const { wrongKey, unknown, bound: share = 0.5 } = await prepare()
    const difference = await differenceOf(wrongKey, unknown)
    const bound = verificationMicros() * share
    expect(Math.abs(difference), `${difference.toFixed(1)} µs of ${bound.toFixed(1)}`).toBeLessThan(
      bound,
    )
  },
  60_000,
)
