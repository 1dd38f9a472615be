/** Turns where something is made or ended at a target; and that those at all of them leave places for others. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Connector, NoEffect, Silent } from '../../src/delivery/connector.ts'
import { createPlaces } from '../../src/delivery/proxy/places.ts'
import { type Limits, togetherOf } from '../../src/delivery/target-limits.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import type { PersonId } from '../../src/domain/ids.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { anIntent, now } from './bench.ts'
import { aMeter, ana, forever, limited, of, omar, refusalOf } from './turning.ts'

/** A target that answers when it is told to, or not at all. */
function aSlowTarget(
  limits?: Limits,
  more: Partial<Connector<object, object>> = {},
  atOnce = Infinity,
) {
  const making: { readonly by: string; readonly made: () => void }[] = []
  const ending: (() => void)[] = []
  const issued: Issued = { kind: 'postgres', credential: {}, expiresAt: now() }
  const connector: Connector<object, object> = {
    ...{ name: 'postgres', model: 'mint', revocation: 'immediate', spending: 'unseen' },
    ...{ senderConstraint: 'none', ttlSecondsMin: 1, isAtTarget: true },
    settings: z.strictObject({}),
    permissions: z.looseObject({}),
    audienceOf: () => null,
    issue: ({ sponsor: by }) =>
      new Promise((resolve) => {
        making.push({
          by,
          made: () => {
            resolve(issued)
          },
        })
      }),
    revoke: () =>
      new Promise((resolve) => {
        ending.push(() => {
          resolve({ found: true })
        })
      }),
    listOwn: () => Promise.resolve([]),
    ...more,
  }
  const { counted, meter } = aMeter()
  const together = togetherOf(atOnce, meter)
  const declared = { orders: limited(limits), payments: limited(limits) }
  const targets = createTargets([kindOf(connector)], declared, together)
  const places = createPlaces({ reports: limited(limits, 'http') }, together)
  const at = (name: keyof typeof declared) => {
    const target = targets.get(name)
    if (target === undefined) throw new TypeError('no target')
    return target
  }
  const issue = (sponsor: PersonId = ana, name: keyof typeof declared = 'orders') =>
    at(name).issue(anIntent({ sponsor }), forever)
  const revoke = (signal = forever, name: keyof typeof declared = 'orders') =>
    at(name).revoke(anIntent().downstreamName, signal)
  const settle = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    // Also what begins meanwhile: it is added to what is gone through.
    for (const { made } of making) {
      made()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { making, ending, counted, issue, revoke, settle, places }
}

describe('making at a target', () => {
  it.each([
    [128, {}, { at_once: 16, waited: 48 }],
    [128, { concurrent: 60 }, { at_once: 60, waited: 4 }],
    [128, { concurrent: 64 }, { at_once: 64 }],
    [32, {}, { at_once: 8, waited: 8 }],
    [3, {}, { at_once: 1 }],
  ])(
    'and waiting for it takes up no more than half of %i places, with limits %j',
    async (atOnce, limits, expected) => {
      const { making, counted, issue, settle } = aSlowTarget(limits, {}, atOnce)
      const some = Array.from({ length: Math.floor(atOnce / 2) }, () => issue())
      const { error, ms } = await refusalOf(issue())
      expect(error).toBeInstanceOf(NoEffect)
      expect(ms).toBeLessThan(100)
      expect(making).toHaveLength(expected.at_once)
      await settle()
      await Promise.all(some)
      expect(counted).toEqual({ ...expected, refused: 1 })
    },
  )

  it('and calling, at however many that hang, leave places for everybody else', async () => {
    const { making, counted, issue, settle, places } = aSlowTarget({}, {}, 128)
    const call = () => places.enter(of(ana, 'reports'), forever)
    const made = [
      ...Array.from({ length: 64 }, () => issue()),
      ...Array.from({ length: 31 }, () => issue(omar, 'payments')),
    ]
    const calls = [...(await Promise.all(Array.from({ length: 8 }, call)))]
    const last = call()
    const refused = await Promise.all([issue(omar, 'payments'), call()].map(refusalOf))
    for (const { ms } of refused) expect(ms).toBeLessThan(100)
    expect(refused.map(({ error }) => String(error))).toEqual([
      'NoEffect: too much is asked of the target at once',
      'BrokerError: no_room',
    ])
    expect(making).toHaveLength(32)
    expect(counted).toEqual({ at_once: 40, refused: 2 })

    for (const { end } of calls) end()
    const turn = await last
    turn.end()
    await settle()
    await Promise.all(made)
    expect(counted).toEqual({ at_once: 40, waited: 64, refused: 2 })
  })

  it('is refused at the start where one target may take more than half of what is worked on', () => {
    expect(() => aSlowTarget({ concurrent: 65 }, {}, 128)).toThrow(
      'The target orders has limits.concurrent 65, more than 64: half of what this process works on',
    )
    expect(() => aSlowTarget({ concurrent: 17 }, {}, 32)).toThrow('more than 16')
    expect(() => aSlowTarget({ concurrent: 16 }, {}, 32)).not.toThrow()
  })

  it('is not refused to one sponsor for what another asks for', async () => {
    const { making, issue, settle } = aSlowTarget({ concurrent: 1 })
    const flood = Array.from({ length: 5 }, () => issue().catch(() => 'refused'))
    const mine = issue(omar)
    await settle()
    await mine
    expect(making.findIndex(({ by }) => by === omar)).toBeLessThanOrEqual(2)
    expect(await Promise.all(flood)).toContain('refused')
  })

  it('holds up nothing that is to be ended, nor is it held up by that', async () => {
    const { making, ending, issue, revoke, settle } = aSlowTarget({ concurrent: 2, per_second: 1 })
    const first = issue()
    const waiting = refusalOf(issue())
    const ends = Array.from({ length: 2 }, () => revoke())
    await expect.poll(() => ending.length).toBe(2)
    for (const end of ending) end()
    expect(await Promise.all(ends)).toEqual([{ found: true }, { found: true }])

    const more = [revoke(), revoke(), revoke()]
    await expect.poll(() => ending.length).toBe(4)
    expect(making).toHaveLength(1)
    await expect.poll(() => making.length, { timeout: 1500 }).toBe(2)
    for (const end of ending) end()
    await expect.poll(() => ending.length).toBe(5)
    ending[4]?.()
    await Promise.all(more)
    await settle()
    await first
    expect((await waiting).error).toBeNull()
  })

  it('leaves what finds no room to be ended for later: nobody was asked', async () => {
    const { ending, revoke } = aSlowTarget({ concurrent: 1 })
    const first = revoke()
    const others = [1, 2, 3, 4].map(() => refusalOf(revoke(AbortSignal.timeout(20))))
    expect((await refusalOf(revoke())).error).toBeInstanceOf(Silent)
    for (const { error } of await Promise.all(others)) expect(error).toBeInstanceOf(Silent)
    expect(ending).toHaveLength(1)
    ending[0]?.()
    await first
  })

  it('leaves to be ended later what an eighth of all would wait for, at all targets together', async () => {
    const { ending, revoke, issue, settle } = aSlowTarget({ concurrent: 2 }, {}, 32)
    const made = Array.from({ length: 10 }, () => issue())
    const names = ['orders', 'orders', 'orders', 'payments', 'payments', 'payments'] as const
    const ends = names.map((name) => revoke(forever, name))
    const more = [revoke(forever, 'orders'), revoke(forever, 'payments')]
    const { error, ms } = await refusalOf(revoke(forever, 'payments'))
    expect(error).toBeInstanceOf(Silent)
    expect(ms).toBeLessThan(100)
    expect(ending).toHaveLength(4)
    for (let n = 0; n < 8; n += 1) {
      await expect.poll(() => ending.length).toBeGreaterThan(n)
      ending[n]?.()
    }
    await Promise.all([...ends, ...more])
    await settle()
    await Promise.all(made)
  })

  it.each<[string, Partial<Connector<object, object>>]>([
    ['what nobody there is asked for', { isAtTarget: false }],
    ['an address, below which it is asked later', { model: 'proxy' }],
  ])('is bounded by the target alone, and so not for %s', async (_what, more) => {
    const { making, issue, settle } = aSlowTarget(undefined, more)
    const some = Array.from({ length: 100 }, () => issue())
    await expect.poll(() => making.length).toBe(100)
    await settle()
    await Promise.all(some)
  })

  it('has the limits that are set also where nobody there is asked', async () => {
    const { making, issue, settle } = aSlowTarget({ concurrent: 2 }, { isAtTarget: false })
    const some = Array.from({ length: 5 }, () => issue())
    await new Promise((resolve) => setImmediate(resolve))
    expect(making).toHaveLength(2)
    await settle()
    await Promise.all(some)
  })
})
