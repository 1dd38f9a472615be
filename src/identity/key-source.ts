/** The keys of one configured issuer: given with the configuration, or fetched, kept, fetched again. */
import type { Clock } from '../domain/clock.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { unavailable } from '../domain/problems.ts'
import { fetchJwks } from './fetch-jwks.ts'
import { readJwks, type VerifyKey } from './jwks.ts'
import { isOwnHost, lookupElsewhere } from './own-addresses.ts'

/** Exactly one of the first two. */
export interface KeyLocation {
  readonly jwks_uri?: string | undefined
  readonly jwks?: { readonly keys: readonly unknown[] } | undefined
  /** Plain http, and addresses of this machine. */
  readonly allow_http?: boolean
}

export interface KeySource {
  /** `null` when the issuer has no fit key of that name; throws `unavailable('keys')`. */
  find(kid: string): Promise<VerifyKey | null>
}

export interface Times {
  /** After this a set is fetched again when it is next needed. */
  readonly freshMs: number
  /** After this a set that could not be fetched again is not used any more. */
  readonly staleMs: number
  /** No two attempts are closer than this, whoever asks for whatever. */
  readonly cooldownMs: number
}
const TIMES: Times = { freshMs: 300_000, staleMs: 3_600_000, cooldownMs: 30_000 }

/** @throws TypeError at start, when the configuration names no usable place */
export function createKeySource(
  { jwks, jwks_uri: address, allow_http: isLocal = false }: KeyLocation,
  clock: Clock,
  times: Times = TIMES,
): KeySource {
  if (jwks !== undefined) {
    const keys = readJwks({ keys: jwks.keys as unknown as Json })
    if (keys.size === 0) throw new TypeError('no key in jwks is fit to verify with and has a kid')
    return { find: (kid) => Promise.resolve(keys.get(kid) ?? null) }
  }
  if (address === undefined) throw new TypeError('an issuer needs jwks or jwks_uri')
  if (isLocal) return createRemote(() => fetchJwks(address), clock, times)
  refuseLocal(address)
  const lookup = lookupElsewhere()
  return createRemote(() => fetchJwks(address, lookup), clock, times)
}

function createRemote(fetch: () => Promise<JsonObject>, clock: Clock, times: Times): KeySource {
  let held: { keys: ReadonlyMap<string, VerifyKey>; at: number } | null = null
  let triedAt = -Infinity
  let failure: { readonly cause: unknown; readonly at: number } | null = null
  let underWay: Promise<void> | null = null

  async function refresh(): Promise<void> {
    triedAt = clock().getTime()
    try {
      held = { keys: readJwks(await fetch()), at: triedAt }
      failure = null
    } catch (cause) {
      failure = { cause, at: triedAt } // The last good set is kept; find() says what that means for whom.
    } finally {
      underWay = null
    }
  }

  const since = (at: number) => clock().getTime() - at
  const age = () => (held === null ? Infinity : since(held.at))
  return {
    async find(kid) {
      const isHeld = held?.keys.has(kid) === true
      if (!isHeld || age() >= times.freshMs) {
        // An issuer that was down just now may hang again: whoever can do without it does not wait.
        const wasDown = failure !== null && since(failure.at) < times.freshMs
        if (since(triedAt) >= times.cooldownMs) underWay ??= refresh()
        if (!(isHeld && age() < times.staleMs && wasDown)) await underWay
      }
      const key = age() < times.staleMs ? held?.keys.get(kid) : undefined
      if (key !== undefined) return key
      // Not among them, or could not be asked: only the first is an answer.
      if (failure !== null || held === null) throw unavailable('keys', failure?.cause)
      return null
    },
  }
}

function refuseLocal(address: string): void {
  const { protocol, hostname } = new URL(address)
  if (protocol === 'https:' && !isOwnHost(hostname)) return
  throw new TypeError(
    `${address} is not https, or is this machine: set allow_http to try things out`,
  )
}
