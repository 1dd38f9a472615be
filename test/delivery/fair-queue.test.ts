import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Change,
  createFairQueue,
  type FairQueue,
  type Room,
} from '../../src/delivery/fair-queue.ts'

interface One {
  readonly by: string
  readonly askedAt: number
}

const ROOM: Room = { places: 3, placesEach: 3, waiting: 12, waitMs: 2000, rate: null }

type Step =
  | readonly ['ask', by: string]
  | readonly ['done' | 'leave', which: number]
  | readonly ['pass', ms: number]

const someone = fc.constantFrom('ana', 'ben', 'cleo', 'dora')
const which = fc.nat({ max: 40 })
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant('ask' as const), someone) },
    { weight: 4, arbitrary: fc.tuple(fc.constant('done' as const), which) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('leave' as const), which) },
    { weight: 1, arbitrary: fc.tuple(fc.constant('pass' as const), fc.nat({ max: 700 })) },
  ),
  { minLength: 20, maxLength: 150 },
)

/** What is told of each change, with what was the case before it. */
interface Seen {
  readonly begun: (one: One, world: World) => void
  readonly refused: (one: One, world: World) => void
}
interface World {
  readonly queue: FairQueue<One>
  readonly waiting: Set<One>
  readonly underWay: Set<One>
  now: number
}
const NOTHING: Seen = { begun: () => undefined, refused: () => undefined }
const isBy = (by: string) => (one: One) => one.by === by
const countBy = (some: Iterable<One>, by: string) => [...some].filter(isBy(by)).length

/** Does all that, tells what comes of it, and looks on after each step. */
function played(
  room: Room,
  script: readonly Step[],
  { begun, refused }: Seen,
  look: (world: World) => void = () => undefined,
): void {
  const world: World = {
    ...{ queue: createFairQueue<One>(room), now: 0 },
    ...{ waiting: new Set<One>(), underWay: new Set<One>() },
  }
  const { queue, waiting, underWay } = world

  function follow(change: Change<One>): void {
    for (const one of change.refused) {
      refused(one, world)
      expect(waiting.delete(one), 'refused, and was waiting').toBe(true)
    }
    for (const one of change.begun) {
      begun(one, world)
      expect(waiting.delete(one), 'begun, and was waiting').toBe(true)
      underWay.add(one)
    }
  }

  function pass(ms: number): void {
    const end = world.now + ms
    for (;;) {
      const due = Math.max(world.now + 1, Math.ceil(queue.dueAt()))
      if (due > end) break
      world.now = due
      follow(queue.tick(due))
    }
    world.now = end
  }

  for (const [kind, what] of [...script, ['pass', room.waitMs + 1] as const]) {
    if (kind === 'pass') pass(what)
    else if (kind === 'ask') {
      const one = { by: what, askedAt: world.now }
      waiting.add(one)
      follow(queue.enqueue(one, world.now))
    } else {
      const some = kind === 'done' ? underWay : waiting
      const one = [...some][what % Math.max(1, some.size)]
      if (one === undefined) continue
      some.delete(one)
      follow(queue.over(one, world.now))
    }
    look(world)
  }
  expect([...waiting], 'all of it came to something').toEqual([])
}

const holds = (property: (script: Step[], placesEach: number) => void) => {
  fc.assert(fc.property(steps, fc.constantFrom(2, 3), property), { numRuns: 150 })
}

describe('between those who wait', () => {
  it('nobody gets two turns while another, who has not their share of the places, gets none', () => {
    holds((script, placesEach) => {
      // For each who waits: how many turns each of the others had meanwhile.
      const meanwhile = new Map<string, Map<string, number>>()
      const forget = ({ waiting, underWay }: World) => {
        for (const by of meanwhile.keys()) {
          const isWaiting = countBy(waiting, by) > 0 && countBy(underWay, by) < placesEach
          if (!isWaiting) meanwhile.delete(by)
        }
      }
      const begun = (one: One, world: World) => {
        const { waiting, underWay } = world
        forget(world)
        meanwhile.delete(one.by)
        for (const by of new Set([...waiting].map((it) => it.by))) {
          if (by === one.by || countBy(underWay, by) >= placesEach) continue
          const had = meanwhile.get(by) ?? new Map<string, number>()
          had.set(one.by, (had.get(one.by) ?? 0) + 1)
          meanwhile.set(by, had)
          expect(had.get(one.by), `${one.by}, while ${by} waits`).toBe(1)
        }
      }
      played({ ...ROOM, placesEach }, script, { ...NOTHING, begun }, forget)
    })
  })

  it('places go round, one each, while all of them wait', () => {
    const all = ['ana', 'ben', 'cleo', 'dora']
    const order: string[] = []
    const asked = all.flatMap((by) => [1, 2, 3].map(() => ['ask', by] as const))
    const first = ['ask', 'zoe'] as const
    const begun = ({ by }: One) => order.push(by)
    const script = [first, ...asked, ...Array.from({ length: 12 }, () => ['done', 0] as const)]
    played({ ...ROOM, places: 1 }, script, { ...NOTHING, begun })
    expect(order).toEqual(['zoe', ...all, ...all, ...all])
  })

  it('who floods keeps another waiting for one turn at most', () => {
    const order: string[] = []
    const begun = ({ by }: One) => order.push(by)
    const flood = Array.from({ length: 40 }, () => ['ask', 'ana'] as const)
    const script = [...flood, ['ask', 'ben'], ['done', 0], ['done', 0]] as const
    played(ROOM, script, { ...NOTHING, begun })
    expect(order.indexOf('ben')).toBeLessThanOrEqual(4)
  })

  it('each is served in the order they asked in', () => {
    holds((script, placesEach) => {
      const begun = (one: One, { waiting }: World) => {
        const [first] = [...waiting].filter(isBy(one.by))
        expect(first).toBe(one)
      }
      played({ ...ROOM, placesEach }, script, { ...NOTHING, begun })
    })
  })
})

describe('how much', () => {
  it('goes on and waits is bounded, and no place is free while somebody waits who may have it', () => {
    holds((script, placesEach) => {
      played({ ...ROOM, placesEach }, script, NOTHING, ({ waiting, underWay }) => {
        expect(underWay.size).toBeLessThanOrEqual(ROOM.places)
        expect(waiting.size).toBeLessThanOrEqual(ROOM.waiting)
        for (const { by } of underWay) expect(countBy(underWay, by)).toBeLessThanOrEqual(placesEach)
        if (underWay.size === ROOM.places) return
        for (const { by } of waiting) expect(countBy(underWay, by)).toBe(placesEach)
      })
    })
  })

  it('is refused is what has waited for long, and else the last of whoever waits with most', () => {
    holds((script) => {
      const room = { ...ROOM, waiting: 5 }
      const refused = (one: One, { waiting, now }: World) => {
        expect(now - one.askedAt).toBeLessThanOrEqual(room.waitMs)
        if (now - one.askedAt === room.waitMs) return
        const own = [...waiting].filter(isBy(one.by))
        expect(own.at(-1)).toBe(one)
        expect(waiting.size).toBe(room.waiting + 1)
        for (const { by } of waiting)
          expect(own.length).toBeGreaterThanOrEqual(countBy(waiting, by))
      }
      played(room, script, { ...NOTHING, refused })
    })
  })
})

describe('a rate', () => {
  const rates = fc.record({
    perSecond: fc.integer({ min: 1, max: 20 }),
    burst: fc.integer({ min: 1, max: 6 }),
  })

  it('is never passed: in no time more than it lets through then, and what was saved up', () => {
    fc.assert(
      fc.property(steps, rates, (script, rate) => {
        const times: number[] = []
        const begun = (_one: One, { now }: World) => times.push(now)
        played({ ...ROOM, rate }, script, { ...NOTHING, begun })
        for (const [n, from] of times.entries()) {
          for (const [m, to] of times.slice(n).entries()) {
            const most = rate.burst + ((to - from) / 1000) * rate.perSecond
            expect(m + 1).toBeLessThanOrEqual(most + 1e-6)
          }
        }
      }),
      { numRuns: 150 },
    )
  })

  it('lets everybody through in turn, and refuses at once what it will not let through in time', () => {
    const order: [string, number][] = []
    const gone: [string, number][] = []
    const flood = Array.from({ length: 9 }, () => ['ask', 'ana'] as const)
    const room = { ...ROOM, places: 9, placesEach: 9, rate: { perSecond: 2, burst: 1 } }
    played(room, [...flood, ['ask', 'ben'], ['pass', 2000]], {
      begun: ({ by }, { now }) => order.push([by, now]),
      refused: ({ by }, { now }) => gone.push([by, now]),
    })
    // One now and three before two seconds are over: what is more is told so before it waits.
    expect(gone).toEqual(Array.from({ length: 6 }, () => ['ana', 0]))
    expect(order.slice(0, 4)).toEqual([
      ...[
        ['ana', 0],
        ['ana', 500],
        ['ben', 1000],
        ['ana', 1500],
      ],
    ])
  })

  it('says in how long it would let one more through', () => {
    const queue = createFairQueue<One>({ ...ROOM, rate: { perSecond: 4, burst: 1 } })
    expect(queue.backInMs()).toBe(0)
    for (let n = 0; n < 3; n += 1) queue.enqueue({ by: 'ana', askedAt: 0 }, 0)
    expect(queue.backInMs()).toBe(750)
  })
})
