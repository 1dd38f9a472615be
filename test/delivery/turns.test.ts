/** Turns as those see them who ask for one, and those at a target that is called. */
import { describe, expect, it } from 'vitest'
import type { Room } from '../../src/delivery/fair-queue.ts'
import { createPlaces } from '../../src/delivery/proxy/places.ts'
import { NoRoom, togetherOf } from '../../src/delivery/target-limits.ts'
import { createTurns } from '../../src/delivery/turns.ts'
import { aMeter, ana, forever, limited, of, omar, refusalOf } from './turning.ts'

describe('a turn', () => {
  const ROOM: Room = { places: 1, placesEach: 1, waiting: 2, waitMs: 60, rate: null }
  const turns = (room: Partial<Room> = {}) =>
    createTurns({ ...ROOM, ...room }, { refusal: (seconds) => new NoRoom(seconds) })

  it('is one for a lease, however many try it at once', async () => {
    const at = turns()
    const one = of(ana)
    const three = await Promise.all([1, 2, 3].map(() => at.take(one, forever)))
    three[0]?.end()
    three[1]?.end()
    expect((await refusalOf(at.take(of(omar), forever))).error).toBeInstanceOf(NoRoom)
    three[2]?.end()
    const other = await at.take(of(omar), forever)
    other.end()
  })

  it('that does not come is not waited for', async () => {
    const at = turns()
    const turn = await at.take(of(ana), forever)
    const { error, ms } = await refusalOf(at.take(of(omar), forever))
    expect(error).toBeInstanceOf(NoRoom)
    expect(ms).toBeGreaterThan(50)
    turn.end()
  })

  it('is refused in milliseconds where too many wait, with when to come back by the rate', async () => {
    const at = turns({ places: 9, placesEach: 9, waitMs: 2000, rate: { perSecond: 0.4, burst: 1 } })
    const turn = await at.take(of(ana), forever)
    const { error, ms } = await refusalOf(at.take(of(omar), forever))
    expect(error).toMatchObject({ retryAfterSeconds: 3 })
    expect(ms).toBeLessThan(50)
    turn.end()
  })

  it('is handed on when it is over, and how long it was waited for is told', async () => {
    const at = turns({ waitMs: 5000 })
    const turn = await at.take(of(ana), forever)
    expect(turn.waitedMs).toBeLessThan(50)
    const next = at.take(of(omar), forever)
    setTimeout(turn.end, 30)
    const { waitedMs, end } = await next
    expect(waitedMs).toBeGreaterThan(25)
    end()
  })

  it('that whoever asked for it does not wait for any more is the next one’s', async () => {
    const at = turns({ waitMs: 5000 })
    const turn = await at.take(of(ana), forever)
    const leaving = new AbortController()
    const left = refusalOf(at.take(of(omar), leaving.signal))
    const next = at.take(of(omar), forever)
    leaving.abort()
    expect((await left).error).toBeInstanceOf(NoRoom)
    turn.end()
    const { end } = await next
    end()
  })
})

describe('calls at a target', () => {
  it('are never all of one sponsor’s, and wait for no other target', async () => {
    const { counted, meter } = aMeter()
    const places = createPlaces(
      { orders: limited({ concurrent: 3 }), payments: limited() },
      togetherOf(128, meter),
    )
    const first = [await places.enter(of(ana), forever), await places.enter(of(ana), forever)]
    const leaving = new AbortController()
    const third = refusalOf(places.enter(of(ana), leaving.signal))
    const other = await places.enter(of(omar), forever)
    const elsewhere = await places.enter(of(ana, 'payments'), forever)
    leaving.abort()
    const { error } = await third
    expect(error).toMatchObject({
      ...{ code: 'unavailable', message: 'no_room' },
      shown: { evaluation: { unavailableInput: 'downstream' }, retryAfterSeconds: 1 },
    })
    expect(counted).toEqual({ at_once: 4, refused: 1 })
    for (const { end } of [...first, other, elsewhere]) end()
  })
})
