/** The next token, asked for once it is this one's turn: on record before, and stored before it is used. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { canonical, isObject, parseTrusted } from '../../domain/json.ts'
import { BrokerError } from '../../domain/problems.ts'
import { openedRow, sealedRow, type SealedRow } from '../envelope.ts'
import type { KeyStore } from '../key-store.ts'
import type { Begun, For, KeptRow, KeptRows, Sealed } from './kept-row.ts'
import {
  askForToken,
  type Granted,
  NoToken,
  type Question,
  type TokenEndpoint,
} from './token-endpoint.ts'

/** What one refresh may take at most, from its turn to its end. Milliseconds. */
export interface Times {
  /** Whoever stood still between its turn and its question leaves the turn to others. */
  readonly paused: number
  readonly ask: number
  /** With a token that cannot be stored, what it was asked with may be lost: it is not given up at once. */
  readonly store: number
  /** The last try to store it: a key, a connection, a statement. */
  readonly lastTry: number
}

export const TIMES: Times = { paused: 3000, ask: 10_000, store: 20_000, lastTry: 15_000 }

/**
 * Whoever asked and died is waited for so long: until it can be at nothing any more. Whoever began
 * before that would show a refresh token whose next one is about to be stored.
 */
export const claimMsOf = ({ paused, ask, store, lastTry }: Times) => paused + ask + store + lastTry

const LOOK_MS = 100
/** Not used any more so long before it ends. */
const MARGIN_SECONDS = 30
/** Where the server does not say how long it lasts. */
const UNSAID_SECONDS = 300

export interface Keeper {
  readonly tenant: string
  readonly keys: KeyStore
  readonly rows: KeptRows
  /** Told what an operator should know. */
  readonly trouble?: ((error: unknown) => void) | undefined
  readonly times?: Times
}

export interface Wanted extends For {
  /** Looked up by whoever asks, and only then. */
  readonly endpoint: () => Promise<TokenEndpoint>
  /** @param current the refresh token that came since the secret was stored, if any did */
  readonly question: (secret: string, current: string | null) => Renewal
}

export type Renewal = Question & { readonly refreshToken: string | null }

/** What is sealed. */
export interface Pair {
  readonly token: string | null
  readonly refreshToken: string | null
}

export interface Refreshed {
  readonly pair: Pair & { readonly token: string }
  readonly generation: number
}

/**
 * @returns `null` when it was another's turn, for whom this one has waited a little
 * @throws BrokerError `credential_gone` when the lease does not stand; NoToken
 */
export async function refreshed(
  keeper: Keeper,
  wanted: Wanted,
  seen: KeptRow,
): Promise<Refreshed | null> {
  const { rows, times = TIMES } = keeper
  const [id, since] = [randomUUID(), performance.now()]
  const begun = await rows.begin(wanted, seen, { id, ms: claimMsOf(times) })
  if (begun === null) throw new BrokerError('credential_gone')
  if (!begun.is_begun) {
    await pause(LOOK_MS)
    return null
  }
  try {
    const endpoint = await wanted.endpoint()
    const renewal = await renewalOf(keeper, wanted, begun)
    const isLate = performance.now() - since > times.paused
    if (isLate) throw new NoToken('this process stood still', 'none')
    return await asked(keeper, { ...wanted, endpoint }, begun, renewal)
  } catch (error) {
    const effect = error instanceof NoToken ? error.effect : 'none'
    // One before may have used it up, whatever became of this one.
    const known = effect === 'none' && begun.was_unanswered ? 'unknown' : effect
    const isTold = await rows.end(wanted, id, known)
    if (effect !== 'over') throw error
    if (isTold) keeper.trouble?.(new Error(overFor(wanted.target, begun.was_unanswered)))
    return null // What the row says now is everybody's answer.
  }
}

async function asked(
  keeper: Keeper,
  wanted: For & { readonly endpoint: TokenEndpoint },
  { generation: from }: Begun,
  renewal: Renewal,
): Promise<Refreshed | null> {
  const since = performance.now()
  const { ask } = keeper.times ?? TIMES
  const granted = await askForToken(wanted.endpoint, renewal, AbortSignal.timeout(ask))
  const { token } = granted
  if (granted.isRefreshTokenUnfit && renewal.refreshToken !== null) {
    // The one that was shown may be used up: it is not kept as if nothing had come.
    const error = new NoToken(unfitFor(wanted.target), 'unknown')
    keeper.trouble?.(error)
    throw error
  }
  const pair = { token, refreshToken: granted.refreshToken ?? renewal.refreshToken }
  const usableMs = token === null ? null : usableMsOf(granted, performance.now() - since)
  // Stored before it is used; and stored where there is no token, but the next refresh token.
  const generation = await stored(keeper, wanted, { from, pair, usableMs })
  if (generation === null) return null // Another has: this one counts for nothing.
  if (token === null) throw new NoToken('the token endpoint gave no bearer token', 'none')
  return { pair: { ...pair, token }, generation }
}

async function renewalOf(keeper: Keeper, wanted: Wanted, begun: Begun): Promise<Renewal> {
  const secret = {
    ...{ key_version: begun.secret_key_version, wrapped_key: begun.secret_wrapped_key },
    ...{ nonce: begun.secret_nonce, ciphertext: begun.secret_ciphertext },
  }
  const { tenant, keys } = keeper
  const plain = await openedRow(keys, { tenant, target: wanted.target }, secret)
  try {
    const kept = await opened(keeper, wanted, begun)
    return wanted.question(plain.toString('utf8'), kept?.refreshToken ?? null)
  } finally {
    plain.fill(0)
  }
}

interface Storing {
  readonly from: number
  readonly pair: Pair
  readonly usableMs: number | null
}

/** Again and again while the database is down. @returns `null` where another has stored one */
async function stored(
  keeper: Keeper,
  wanted: For,
  { from, pair, usableMs }: Storing,
): Promise<number | null> {
  const { rows, keys, times = TIMES } = keeper
  const since = performance.now()
  for (let wait = 50; ; wait = Math.min(2 * wait, 1000)) {
    const plain = Buffer.from(canonical({ token: pair.token, refresh_token: pair.refreshToken }))
    try {
      const sealed = await sealedRow(keys, placeOf(keeper, wanted), plain)
      return await rows.store(wanted, { generation: from, usableMs, sealed })
    } catch (cause) {
      const isDown = cause instanceof BrokerError && cause.code === 'unavailable'
      if (!isDown || performance.now() - since > times.store) {
        throw new NoToken('a token was given and could not be stored', 'unknown', { cause })
      }
      await pause(wait)
    } finally {
      plain.fill(0)
    }
  }
}

/** @returns `null` where nothing was stored yet */
export async function opened(keeper: Keeper, of: For, row: Sealed): Promise<Pair | null> {
  if (!isThere(row)) return null
  const plain = await openedRow(keeper.keys, placeOf(keeper, of), row)
  try {
    return pairIn(plain.toString('utf8'))
  } finally {
    plain.fill(0)
  }
}

const placeOf = ({ tenant }: Keeper, { target }: For) => ({ tenant, target, of: 'token' }) as const

const isThere = (row: Sealed): row is SealedRow =>
  row.key_version !== null && row.nonce !== null && row.ciphertext !== null

function pairIn(text: string): Pair {
  const value = parseTrusted(text)
  const { token = null, refresh_token: refreshToken = null } = isObject(value) ? value : {}
  const isText = (it: unknown) => it === null || typeof it === 'string'
  if (!isText(token) || !isText(refreshToken)) throw new TypeError('not a token that was kept')
  return { token, refreshToken }
}

/** Counted from when it was asked for; of a short life, half. */
function usableMsOf({ expiresInSeconds }: Granted, tookMs: number): number {
  const seconds = expiresInSeconds ?? UNSAID_SECONDS
  const margin = Math.min(MARGIN_SECONDS, seconds / 2)
  return Math.max(0, Math.floor((seconds - margin) * 1000 - tookMs))
}

const unfitFor = (target: string) =>
  `The token endpoint of ${target} gave a refresh token that is none: if the one before is used up, ` +
  `get a new one, and store it with \`procura target secret ${target}\``

function overFor(target: string, wasUnanswered: boolean): string {
  const lost = wasUnanswered ? ', after an answer that was lost' : ''
  return (
    `The refresh token of ${target} is not taken any more${lost}: ` +
    `get a new one, and store it with \`procura target secret ${target}\``
  )
}
