import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { verifyChain, type VerifiedHop } from '../../src/chain/verify.ts'
import { admits, type ChainAuthority, narrow } from '../../src/domain/authority.ts'
import { type Constraint, constraintKey } from '../../src/domain/constraint.ts'
import type { Json } from '../../src/domain/json.ts'
import { but } from '../vectors/cases.ts'
import { AGAINST, BROKER, detailOf, LEAF, verdictOn } from './checking.ts'
import type { Draft, Members } from './making.ts'
import { VALUES } from './oracle-values.ts'
import {
  anAuthority,
  diceOf,
  nudged,
  PURPOSES as MEANT,
  tightened,
  TOOLS,
} from './random-authority.ts'
import { aScene, written } from './random-chains.ts'

const RUNS = { numRuns: 150 }
const seeds = fc.integer({ min: 1, max: 2 ** 30 })
const CALLS = TOOLS.flatMap((name) =>
  MEANT.flatMap((purpose) =>
    VALUES.filter((_value, at) => at % 3 === 0).map((value) => ({
      purpose,
      call: {
        ...{ tool: { name }, facts: {} },
        arguments: value === undefined ? {} : { a: value as Json },
      },
    })),
  ),
)
const admitted = (authority: ChainAuthority) =>
  new Set(CALLS.filter(({ call, purpose }) => admits(authority, call, purpose) === null))
const isWithin = <T>(inner: Set<T>, outer: Set<T>) => [...inner].every((it) => outer.has(it))

/** A chain that is only ever tightened, by taking away. */
function tokensOf(seed: number): string[] {
  return written(aScene(seed))
    .slice(0, 8)
    .map(({ compact }) => compact)
}
const authorityOf = (seed: number): ChainAuthority =>
  ({ ...anAuthority(diceOf(seed)), delMaxDepth: 4 }) as unknown as ChainAuthority
const childOf = (parent: ChainAuthority, seed: number, isLoose = false) => {
  const dice = diceOf(seed)
  const bounds = parent.constraints as readonly unknown[] as Members[]
  const child = tightened(parent as never, bounds, dice)
  if (isLoose) child.constraints = child.constraints.map((it) => (dice(3) ? it : nudged(it, dice)))
  return child as unknown as ChainAuthority
}
const verified = (tokens: readonly string[]): readonly VerifiedHop[] => {
  const result = verifyChain({ ...AGAINST, tokens })
  if (!result.ok) throw new Error(`${result.outcome} ${String(result.hop)} ${result.detail}`)
  return result.hops
}

describe('narrowing along a chain', () => {
  it('is sound: what is left admits no call that the one above refuses', () => {
    fc.assert(
      fc.property(seeds, seeds, (above, below) => {
        const parent = authorityOf(above)
        const result = narrow(parent, childOf(parent, below, true))
        fc.pre(result.ok)
        expect(isWithin(admitted(result.authority), admitted(parent))).toBe(true)
      }),
      RUNS,
    )
  })

  it('is complete: whoever only takes away is never refused, and who takes nothing changes nothing', () => {
    fc.assert(
      fc.property(seeds, seeds, (above, below) => {
        const parent = authorityOf(above)
        expect(narrow(parent, parent)).toEqual({ ok: true, authority: parent })
        expect(narrow(parent, childOf(parent, below)).ok).toBe(true)
      }),
      RUNS,
    )
  })

  it('is transitive: what may follow a child may follow its parent', () => {
    fc.assert(
      fc.property(seeds, seeds, seeds, (first, second, third) => {
        const parent = authorityOf(first)
        const child = narrow(parent, childOf(parent, second, true))
        fc.pre(child.ok)
        const grandchild = childOf(child.authority, third, true)
        fc.pre(narrow(child.authority, grandchild).ok)
        expect(narrow(parent, grandchild).ok).toBe(true)
      }),
      RUNS,
    )
  })

  it("inherits what is absent: without one of its bounds a child has its parent's, and no more", () => {
    fc.assert(
      fc.property(seeds, seeds, fc.nat(8), (above, below, which) => {
        const parent = authorityOf(above)
        const child = childOf(parent, below)
        const without = child.constraints.filter((_bound, at) => at !== which)
        const [whole, less] = [
          narrow(parent, child),
          narrow(parent, { ...child, constraints: without }),
        ]
        if (!whole.ok || !less.ok) throw new Error('a tightening is refused')
        const left = child.constraints[which]
        const key = left && constraintKey(left)
        const others = (bounds: readonly Constraint[]) =>
          bounds.filter((it) => constraintKey(it) !== key)
        expect(others(less.authority.constraints)).toEqual(others(whole.authority.constraints))
        const now = less.authority.constraints.find((it) => constraintKey(it) === key)
        expect(now).toEqual(parent.constraints.find((it) => constraintKey(it) === key))
      }),
      RUNS,
    )
  })

  it('only ever leaves less, from the root to the leaf', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const left = verified(tokensOf(seed)).map(({ effective }) => admitted(effective))
        for (const [at, calls] of left.entries()) {
          expect(isWithin(calls, left[at - 1] ?? calls)).toBe(true)
        }
      }),
      { numRuns: 40 },
    )
  })
})

describe('nothing else', () => {
  it('decides: the same chain has the same verdict, and the tokens are left as they were', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const tokens = Object.freeze(tokensOf(seed))
        const once = verifyChain({ ...AGAINST, tokens })
        expect(verifyChain({ ...AGAINST, tokens })).toEqual(once)
      }),
      { numRuns: 20 },
    )
  })

  it('is said in a token: no id, time of issue or label changes an outcome', () => {
    const text = fc.stringMatching(/^[A-Za-z0-9_-]{16,64}$/)
    fc.assert(
      fc.property(fc.nat(3), text, fc.nat(2 ** 40), (at, jti, iat) => {
        const chain = but(at, ({ claims, header }) => {
          Object.assign(claims, { jti, iat })
          if (at > 0) Reflect.deleteProperty(header, 'c14n')
        })
        expect(verdictOn(chain, { ...BROKER, presenter: LEAF })).toBe('valid')
      }),
      { numRuns: 40 },
    )
  })

  it('has a place in a token: a member that is in no table is refused, wherever it stands', () => {
    const name = fc.stringMatching(/^[a-z_]{1,12}$/).filter((it) => !it.startsWith('__'))
    const known =
      /^(alg|c14n|jwk|kid|typ|act|nbf|del_max_depth|key|jkt|type|scopes|constraints|crv|kty|x|y|max)$/
    fc.assert(
      fc.property(fc.nat(3), fc.nat(4), name, fc.jsonValue(), (at, where, member, value) => {
        fc.pre(!known.test(member) && isReadable(value))
        const chain = but(at, ({ claims, header }) => {
          fc.pre(!Object.hasOwn(claims, member))
          const [bound = {}] = detailOf({ claims } as Draft).constraints
          const places = [claims, header, claims['cnf'], detailOf({ claims } as Draft), bound]
          Object.assign(places[where] as object, { [member]: value })
        })
        expect(verdictOn(chain)).toBe(`malformed ${String(at)}`)
      }),
      { numRuns: 200 },
    )
  })
})

/** Nothing that the reader of numbers would refuse by another name. */
const isReadable = (value: unknown) => !/e\+|[0-9]{16}|\\u/.test(JSON.stringify(value))
