/** How much goes on at once: so many places, a short queue before them, and a quick refusal beyond. */
import { BrokerError } from '../domain/problems.ts'
import { createHeld, type Held } from './held.ts'

/** Long enough for a burst to pass, short enough that nobody who waits would rather have been refused. */
const WAIT_MS = 500

export interface GateOptions {
  readonly places: number
  /** How many may wait for one. */
  readonly waitingMax: number
  readonly waitMs?: number
}

export interface Gate {
  /**
   * Calls `enter` when there is a place, at once or later; `refuse` when the wait was too long. The
   * place is held until `leave`. What is returned, if it waits, ends that.
   *
   * @throws BrokerError `unavailable` when too many wait already
   */
  ask(enter: () => void, refuse: (error: BrokerError) => void): (() => void) | null
  leave(): void
}

export function createGate({ places, waitingMax, waitMs = WAIT_MS }: GateOptions): Gate {
  // First come, first served: a set keeps its order, and gives up any one of its members cheaply.
  const waiting = new Set<() => void>()
  let taken = 0
  return {
    ask(enter, refuse) {
      if (taken < places) {
        taken += 1
        enter()
        return null
      }
      if (waiting.size >= waitingMax) throw busy()
      const giveUp = () => {
        clearTimeout(late)
        waiting.delete(go)
      }
      const go = () => {
        giveUp()
        enter()
      }
      const late = setTimeout(() => {
        giveUp()
        refuse(busy())
      }, waitMs)
      waiting.add(go)
      return giveUp
    },
    leave() {
      // A place that somebody waits for is handed on, and never free in between.
      const [next] = waiting
      if (next) next()
      else taken -= 1
    },
  }
}

function busy(): BrokerError {
  const shown = { detail: 'Too much is going on at once', retryAfterSeconds: 1 }
  return new BrokerError('unavailable', { shown })
}

/** Of all sources together: at 256 KiB each, this bounds the memory of half-sent requests. */
const BODIES_MAX = 1024

/** Agents and services share one gate; people have theirs, and so has what anybody may read. */
export interface Gates {
  readonly agents: Gate
  readonly people: Gate
  readonly public: Gate
  /** Bodies that are still on their way, by source: who sends slowly takes up memory, and no place. */
  readonly bodies: Pick<Held, 'enter'>
}

/** @param places for agents and services; people get a quarter as many, everybody an eighth */
export function createGates(places: number): Gates {
  const gate = (share: number) => {
    const count = Math.max(1, Math.ceil(places * share))
    return createGate({ places: count, waitingMax: count })
  }
  const bodies = createHeld('Too many bodies are on their way', BODIES_MAX)
  return { agents: gate(1), people: gate(1 / 4), public: gate(1 / 8), bodies }
}
