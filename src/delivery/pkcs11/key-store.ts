/** A key store whose keys never leave a token: what it wraps and unwraps passes through the token. */
import { BrokerError, unavailable } from '../../domain/problems.ts'
import type { Secret } from '../../domain/secret.ts'
import { within } from '../deadline.ts'
import type { KeyStore } from '../key-store.ts'
import type { Keys } from './keys.ts'
import { loadModule, type Module, TokenProblem } from './module.ts'
import { pinOnce } from './pin.ts'
import { Altered, openToken, type Token } from './token.ts'
import type { TokenUri } from './uri.ts'

/** Its turn included: a token serves one call at a time here. */
const CALL_MS = 5000
/** A key is made rarely, by somebody who waits; one that is made after nobody waits is not told of. */
const ROTATE_MS = 60_000
/** As many as are answered in time by a token that takes 20 ms. */
const WAITING_MAX = 256

export interface TokenStore extends KeyStore {
  /**
   * Makes a key in the token: from now on it wraps, and the others unwrap.
   *
   * @returns its version
   * @throws unavailable `keys` too where that is not the newest, or a key is there that is no seal
   */
  rotate(now: Date): Promise<string>
}

export interface TokenStoreOptions {
  readonly uri: TokenUri
  /** The PIN as it is now. */
  readonly pin: () => Promise<Secret>
  readonly callMs?: number
}

/**
 * Opened when it is first needed, and again whenever the token was away. Whatever keeps the token from
 * answering is `unavailable`, with the reason as its cause.
 */
export function pkcs11KeyStore({ uri, pin, callMs = CALL_MS }: TokenStoreOptions): TokenStore {
  const using = inTurns(opening(uri, pin), callMs)
  let known: ReadonlyMap<string, bigint> = new Map()
  let of: Token | null = null
  async function look(token: Token): Promise<Keys> {
    const keys = await token.keys()
    ;[known, of] = [keys.byVersion, token]
    return keys
  }
  /** What a key is known by lasts as long as the session. */
  async function keyOf(token: Token, version: string): Promise<bigint> {
    if (of !== token || !known.has(version)) await look(token)
    const key = known.get(version)
    if (key === undefined) throw unavailable('keys', new Error(`No key of version ${version}`))
    return key
  }
  /** The keys of the seal, where no other could be taken for one. What they sealed is opened in any case. */
  async function allOf(token: Token) {
    const { byVersion, trouble } = await look(token)
    if (trouble !== null) throw problem(trouble)
    return [...byVersion]
  }
  async function newest(token: Token): Promise<readonly [string, bigint]> {
    const key = (await allOf(token)).at(-1)
    if (key !== undefined) return key
    throw new TokenProblem(`the token has no key ${uri.object}: procura keys rotate seal`)
  }
  return {
    current: () => using(async (token) => (await newest(token))[0]),
    wrap: (plain, boundTo) =>
      using(async (token) => {
        const [version, key] = await newest(token)
        return { version, octets: await token.seal(key, boundTo(version), plain) }
      }),
    unwrap: ({ version, octets }, boundTo) =>
      using(async (token) => {
        const key = await keyOf(token, version)
        return await token.open(key, boundTo(version), octets)
      }),
    rotate: (now) =>
      using(async (token) => {
        const [last] = (await allOf(token)).at(-1) ?? []
        const made = await token.makeKey(last, now)
        const [version] = await newest(token)
        if (version === made) return made
        throw problem(`made ${made}, and ${version} is newer: somebody else makes keys here`)
      }, ROTATE_MS),
  }
}

/** The token has answered, and there is nothing to try again. */
const problem = (why: string) => unavailable('keys', new TokenProblem(why))

function opening(uri: TokenUri, read: TokenStoreOptions['pin']): () => Promise<Token> {
  const pin = pinOnce(read)
  let module: Module | null = null
  let wasAway = false
  return async () => {
    module ??= await loadModule(uri.modulePath)
    if (wasAway) await module.restart()
    wasAway = true
    const token = await openToken(module, uri, pin)
    wasAway = false
    return token
  }
}

type Work<T> = (token: Token) => Promise<T>

/** One after the other: a token that hangs holds one thread, and not all that there are. */
function inTurns(open: () => Promise<Token>, callMs: number) {
  let last: Promise<unknown> = Promise.resolve()
  let token: Token | null = null
  let waiting = 0
  async function once<T>(work: Work<T>): Promise<T> {
    try {
      token ??= await open()
      return await work(token)
    } catch (error) {
      if (!isAnswer(error)) {
        // It may be gone, and then so is its session.
        await token?.close()
        token = null
      }
      throw error
    }
  }
  async function twice<T>(work: Work<T>): Promise<T> {
    const isOld = token !== null
    try {
      return await once(work)
    } catch (error) {
      // A session may have ended while nobody looked; a new one tells.
      if (isAnswer(error) || !isOld) throw error
      return await once(work)
    }
  }
  /** Whoever does not wait any more has a place until the token is done with who was before. */
  async function inTurn<T>(work: Work<T>, signal: AbortSignal): Promise<T> {
    if (waiting >= WAITING_MAX) throw new TokenProblem('the token is busy: too many wait for it')
    waiting += 1
    const turn = last
      .then(() => {
        signal.throwIfAborted()
        return twice(work)
      })
      .finally(() => {
        waiting -= 1
      })
    last = turn.catch(() => undefined)
    return await turn
  }
  return async function using<T>(work: Work<T>, ms = callMs): Promise<T> {
    try {
      return await within(ms, (signal) => inTurn(work, signal))
    } catch (error) {
      throw isAnswer(error) ? error : unavailable('keys', error)
    }
  }
}

/** The token has answered, and a new session would answer the same. */
const isAnswer = (error: unknown) => error instanceof Altered || error instanceof BrokerError
