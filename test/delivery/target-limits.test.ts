/** Limits of a target, at a real one: who floods it keeps nobody else out, and what is refused costs nothing. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { createCdp } from '../../src/delivery/cdp.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import type { Limits } from '../../src/delivery/target-limits.ts'
import { createTargets, type Kind } from '../../src/delivery/targets.ts'
import type { SignedDecision } from '../../src/domain/decision.ts'
import { newId } from '../../src/domain/ids.ts'
import type { Intent } from '../../src/domain/lease.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { decided } from './asked-for.ts'
import { aDecision, aSigner, HOUSE, ISSUER, now } from './bench.ts'
import { aPostgresTarget, type PostgresTarget, works } from './postgres-target.ts'
import { aWorld, issue, leaves, ORDERS, spend, stateOf, stop, used, WHO } from './world.ts'
import type { World } from './world.ts'

const [ana, omar] = [newId('spn', now()), newId('spn', now())]

let at: PostgresTarget
beforeAll(async () => {
  at = await aPostgresTarget()
})

/** One delivering side in front of that target, which is watched as it is asked. */
async function aBroker(limits: Limits) {
  const world = await aWorld()
  const { db, ledger, pool, decisions, collector } = world
  const begun: { readonly by: string; readonly at: number }[] = []
  const watched = (kind: Kind): Kind => ({
    name: kind.name,
    at(name, settings) {
      const target = kind.at(name, settings)
      return {
        ...target,
        issue(intent, signal) {
          begun.push({ by: intent.sponsor, at: performance.now() })
          return target.issue(intent, signal)
        },
      }
    },
  })
  const secrets = { use: <T>(_: string, work: (it: Secret) => Promise<T>) => work(at.password) }
  const kinds = createConnectors({ credentials: aSigner(), secrets, owner: ISSUER, ...HOUSE })
  const targets = createTargets(kinds.map(watched), { orders: { ...at.settings, limits } })
  const cdp = createCdp({ tenant: 'main', pool, ledger, decisions, targets })

  /** Decided, paid for and redeemed. */
  async function intended(sponsor: string): Promise<Intent> {
    const of = { target: 'orders', connector: 'postgres', permissions: at.permissions }
    const claims = world.claims({ ...of, sub: sponsor })
    const { jti, credential_id } = claims as { jti: string; credential_id: string }
    await decided(db, { decision: jti, lease: credential_id, target: 'orders' } as never)
    await spend(db, jti)
    const signed: SignedDecision = await aDecision(decisions, collector.jkt, claims)
    return await cdp.redeem(signed, collector.presented)
  }

  /** As the story has it; what was made, or why nothing was. */
  async function make(intent: Intent) {
    const since = performance.now()
    try {
      return { intent, issued: await cdp.mint(intent), error: null, ms: 0 }
    } catch (error) {
      const ms = performance.now() - since
      await cdp.takeBack(intent, error)
      return { intent, issued: null, error, ms }
    }
  }
  const many = async (sponsor: string, count: number) =>
    await Promise.all(Array.from({ length: count }, () => intended(sponsor)))
  return { world, cdp, begun, targets, many, make }
}

type Broker = Awaited<ReturnType<typeof aBroker>>
type Outcome = Awaited<ReturnType<Broker['make']>>

/** Told at once, when to come back; nothing is spent, and the ledger says that it came to nothing. */
async function expectNothingOf(refused: readonly Outcome[], { world, cdp }: Broker): Promise<void> {
  const failures = await failuresOf(world)
  for (const { intent, error, ms } of refused) {
    const { decision, lease } = intent
    expect(error).toMatchObject({
      code: 'unavailable',
      shown: { decision, retryAfterSeconds: expect.any(Number) as number },
    })
    expect(ms).toBeLessThan(100)
    expect(await stateOf(world.db, lease)).toMatchObject({ state: 'failed' })
    expect(await at.has(intent.downstreamName)).toBe(false)
    const [leaf, ...more] = failures.filter((it) => JSON.stringify(it).includes(lease))
    expect(leaf).toMatchObject({ reason: 'aborted', budgets: [{ debited: -1 }] })
    expect(more).toEqual([])
    // With the same key it is told so, and with another it is decided anew.
    const again = cdp.find(lease, decision)
    await expect(again).rejects.toMatchObject({ code: 'decision_stale', shown: { decision } })
  }
}

const failuresOf = async ({ db }: World) =>
  (await leaves(db)).filter(({ event_type }) => event_type === 'issuance_failed')

describe('a target that is asked for more than it may be', () => {
  it('serves another sponsor next but one, and what is refused of the flood is not spent', async () => {
    const broker = await aBroker({ concurrent: 2 })
    const { world, begun, many, make } = broker
    const [flood, [mine]] = [await many(ana, 14), await many(omar, 1)]
    if (mine === undefined) throw new TypeError('nothing was redeemed')
    expect(await used(world.db)).toBe(15)
    const flooding = flood.map(make)
    await new Promise((resolve) => setImmediate(resolve))
    const before = begun.length
    expect(before).toBe(2)
    const made = await make(mine)
    expect(made.error).toBeNull()
    expect(begun.slice(before).findIndex(({ by }) => by === omar)).toBeLessThanOrEqual(1)
    expect(made.issued !== null && (await works(made.issued))).toBe(true)

    const outcomes = await Promise.all(flooding)
    const refused = outcomes.filter(({ issued }) => issued === null)
    // Two at once and eight that wait, one of whom makes room for the other sponsor's.
    expect(refused).toHaveLength(5)
    await expectNothingOf(refused, broker)
    expect(await used(world.db)).toBe(15 - refused.length)
  })

  it('is asked at its rate and no faster, and ends what is over meanwhile', async () => {
    const [perSecond, burst] = [5, 3]
    const broker = await aBroker({ per_second: perSecond, burst })
    const { world, begun, targets, many, make } = broker
    const some = (await many(ana, 20)).map(make)
    const { intent, error } = await Promise.race(some.slice(0, burst))
    expect(error).toBeNull()
    const waiting = begun.length
    const signal = AbortSignal.timeout(5000)
    const ended = await targets.get('orders')?.revoke(intent.downstreamName, signal)
    expect(ended).toEqual({ found: true })
    expect(begun.length, 'while others wait').toBeLessThan(waiting + perSecond)

    const outcomes = await Promise.all(some)
    const refused = outcomes.filter(({ issued }) => issued === null)
    // As many as the rate lets through before two seconds are nearly over.
    expect([11, 12]).toContain(begun.length)
    expect(refused).toHaveLength(20 - begun.length)
    for (const { at: from } of begun) {
      const within = begun.filter((it) => it.at >= from && it.at <= from + 1000)
      expect(within.length).toBeLessThanOrEqual(perSecond + burst)
    }
    await expectNothingOf(refused, broker)
    expect(await used(world.db)).toBe(begun.length)
  })

  it('is not asked by the sweeper either to end more at once, and all of it is ended at the first try', async () => {
    const world = await aWorld()
    for (let n = 0; n < 5; n += 1) await issue(world, ORDERS)
    await stop(world.db, 'consent', WHO.consent)
    const atOnce: number[] = []
    let under = 0
    const slow: Kind = {
      name: 'postgres',
      at(name, settings) {
        const target = world.fake.kind.at(name, settings)
        return {
          ...target,
          async revoke(...asked) {
            atOnce.push((under += 1))
            await pause(30)
            under -= 1
            return await target.revoke(...asked)
          },
        }
      },
    }
    const orders = { connector: 'postgres', limits: { concurrent: 2 } }
    const ended = await world.aSweeper(createTargets([slow], { orders })).sweepOnce()
    expect(ended).toBe(5)
    expect(Math.max(...atOnce)).toBe(2)
    const rows = await world.db.query<{ attempts: number }>('select attempts from procura.lease')
    expect(rows.map(({ attempts }) => attempts)).toEqual([0, 0, 0, 0, 0])
  })
})
