/** How much is asked of a target: so much at once and a second, in turn between sponsors, and 503 beyond. */
import type { Meter } from '../domain/meter.ts'
import { BrokerError, type Shown } from '../domain/problems.ts'
import { NoEffect, Silent } from './connector.ts'
import { createWaiters, type Room, type Waiters } from './fair-queue.ts'
import { createTurns, type Turns } from './turns.ts'

/** As the trust file has them, of a target. */
export interface Limits {
  readonly concurrent?: number | undefined
  readonly per_second?: number | undefined
  /** Of those, at once after a rest; without it as many as in a second. */
  readonly burst?: number | undefined
}

const CONCURRENT = 16
/** Short enough that what is begun then is still answered in time. */
const WAIT_MS = 2000
const TOO_MUCH = 'too much is asked of the target at once'

/** What all targets of a process share, so that whoever waits for one leaves places for everybody else. */
export interface Together {
  /** One target's, at work and waiting: half of what the process works on at once. */
  readonly most: number
  readonly waiting: Waiters
  /** Those who wait for an end of something keep nobody out who waits to begin, nor are they kept out. */
  readonly ending: Waiters
  readonly meter: Meter | undefined
}

/** @param atOnce what the process works on for agents; `Infinity`: nobody waits for it */
export function togetherOf(atOnce = Infinity, meter?: Meter): Together {
  const most = Math.max(1, Math.floor(atOnce / 2))
  const ending = createWaiters(Math.max(1, Math.floor(atOnce / 8)))
  return { most, waiting: createWaiters(most), ending, meter }
}

/** @throws Error where the target might take more than its half */
export function checkLimits(target: string, limits: Limits | undefined, { most }: Together): void {
  const concurrent = limits?.concurrent ?? 1
  if (concurrent <= most) return
  const [is, mayBe] = [String(concurrent), String(most)]
  const half = 'half of what this process works on at once, PROCURA_CONCURRENT'
  throw new Error(`The target ${target} has limits.concurrent ${is}, more than ${mayBe}: ${half}`)
}

/** There was no turn to be had: nothing was made, and nothing was asked of the target. */
export class NoRoom extends NoEffect {
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number) {
    super(TOO_MUCH)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** As whoever asked is told it. */
export function noRoom(cause: NoRoom, more: Shown = {}): BrokerError {
  const shown: Shown = {
    detail: 'Too much is asked of this target at once',
    evaluation: { status: 'not_evaluated', unavailableInput: 'downstream' },
    retryAfterSeconds: cause.retryAfterSeconds,
    ...more,
  }
  return new BrokerError('unavailable', { cause, message: 'no_room', shown })
}

/** What is made there: one sponsor may have all places, and all that wait, while nobody else wants one. */
export const makingAt = (target: string, together: Together, limits?: Limits): Turns =>
  createTurns(roomOf(limits, together), { ...NO_ROOM, count: counting(target, together) })

/** Calls there may last: one sponsor has at most half of the places. */
export function callingAt(target: string, together: Together, limits?: Limits): Turns {
  const room = roomOf(limits, together)
  const placesEach = Math.ceil(room.places / 2)
  return createTurns({ ...room, placesEach }, { ...NO_ROOM, count: counting(target, together) })
}

/** What is over there is ended beside all that: as much at once, at no rate, each as it comes. */
export function endingAt(together: Together, limits?: Limits): Turns {
  const room = { ...roomOf(limits, together), waiters: together.ending, rate: null }
  return createTurns(room, { refusal: () => new Silent(TOO_MUCH) })
}

const NO_ROOM = { refusal: (seconds: number) => new NoRoom(seconds) }

const counting =
  (target: string, { meter }: Together) =>
  (outcome: string) => {
    meter?.count('procura_target_turns_total', { target, outcome })
  }

function roomOf(limits: Limits = {}, { most, waiting: waiters }: Together): Room {
  const { concurrent, per_second, burst } = limits
  // Where nothing is said some may wait, however little the process works on.
  const places = concurrent ?? Math.min(CONCURRENT, Math.ceil(most / 2))
  const waiting = Math.min(4 * places, most - places)
  const rate = per_second === undefined ? null : rateOf(per_second, burst)
  return { places, placesEach: places, waiting, waitMs: WAIT_MS, waiters, rate }
}

const rateOf = (perSecond: number, burst = Math.max(1, Math.floor(perSecond))) => ({
  ...{ perSecond, burst },
})
