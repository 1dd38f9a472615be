/** Leases of all connectors on their way through one process, which is killed when each is where it is to be. */
import { expect } from 'vitest'
import { giveUpUnredeemed } from '../../src/delivery/unredeemed.ts'
import { stateOf } from '../delivery/world.ts'
import type { When } from '../fakes/holding.ts'
import type { TestDatabase } from '../pg/database.ts'
import { aDecided, aDelivery, type Decided, OPEN, takeAway } from './delivering.ts'
import { aDeliverer, type Shown } from './dying.ts'
import type { Calling, Kind } from './kinds.ts'
import type { Round } from './rounds.ts'

/** Longer than a test takes. */
const TTL_SECONDS = 180

/** One lease, and what holds it up if that is not the process itself. */
export interface Lane {
  readonly kind: Kind
  readonly decided: Decided
  readonly hold: { readonly words: string; readonly when: When } | null
  readonly call: Calling['call'] | null
}

interface Killed {
  readonly shown: Shown
  /** What was asked gets where it was going. */
  readonly deliver: () => Promise<unknown>
}

export const nameOf = ({ guarded: { connector } }: Kind) => connector

export function createLanes(db: TestDatabase, kinds: readonly Kind[]) {
  const guarded = Object.fromEntries(kinds.map((kind) => [nameOf(kind), kind.guarded]))
  // Each starts while the one before is at work.
  let next = aDeliverer()

  async function aLane(kind: Kind, words: string | null = null): Promise<Lane> {
    const claims = { ...kind.claims, ttl_seconds: TTL_SECONDS }
    const hold = words === null ? null : ({ words, when: 'asked' } as const)
    return { kind, decided: await aDecided(db, nameOf(kind), claims), hold, call: null }
  }

  return {
    aLane,
    aBroker: () => aDelivery(db, guarded),
    async aCallingLane(kind: Kind, { claims, words, when, call }: Calling): Promise<Lane> {
      const decided = await aDecided(db, nameOf(kind), { ...claims, ttl_seconds: TTL_SECONDS })
      return { kind, decided, hold: { words: words(decided.name), when }, call }
    },

    /** Tells what was made, as far as the process did; what is on its way to a target by then is held. */
    async killedAt(
      lanes: readonly Lane[],
      of: Pick<Round, 'standAt' | 'isSwept'>,
    ): Promise<Killed> {
      const { standAt, isSwept = false } = of
      const deliverer = await next
      next = aDeliverer()
      const hold = () =>
        lanes.flatMap(({ kind: { gate }, hold }) =>
          hold === null || gate === null ? [] : [gate.hold(hold.words, hold.when)],
        )
      try {
        let holding = isSwept ? [] : hold()
        const leases = lanes.map(({ decided, call }) => ({ ...decided, call }))
        deliverer.order({ url: db.url, guarded, lanes: leases, standAt })
        if (isSwept) {
          await deliverer.passed(lanes.length)
          for (const { decided } of lanes) await takeAway(db, decided.lease)
          holding = hold()
          deliverer.sweep()
        }
        const held = await deliverer.until(Promise.all(holding))
        const shown = standAt === null ? new Map() : await deliverer.standing(lanes.length)
        await deliverer.kill()
        return { shown, deliver: () => Promise.all(held.map((one) => one.deliver())) }
      } finally {
        await deliverer.kill()
        // What was not reached is not to be held up later.
        for (const { gate } of kinds) gate?.letAll()
      }
    },

    /** Another process goes on, and time passes, until nothing is open any more. */
    async goneOn(lanes: readonly Lane[]): Promise<void> {
      const other = aDelivery(db, guarded)
      await giveUpUnredeemed(other.reaping)
      await other.sweepUntil(async () => {
        const states = await Promise.all(lanes.map(({ decided }) => stateOf(db, decided.lease)))
        return states.every((row) => row !== undefined && !OPEN.includes(row.state))
      })
    },

    /** The names that one look at all targets finds to be nobody's; and then there are none. */
    async orphans(): Promise<string[]> {
      const other = aDelivery(db, guarded)
      const look = async () => {
        const found = Object.keys(guarded).map((target) => other.orphans(target))
        return (await Promise.all(found)).flat()
      }
      const found = await look()
      expect(await look()).toEqual([])
      return found
    },

    async end(): Promise<void> {
      await (await next).kill()
      for (const kind of kinds) await kind.stop()
    },
  }
}
