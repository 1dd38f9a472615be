/** The one token that a process has open, for all that it does there: one login, and one call at a time. */
import { BrokerError, unavailable } from '../domain/problems.ts'
import type { Secret } from '../domain/secret.ts'
import { loadModule, type Module, TokenProblem } from './module.ts'
import { pinOnce } from './pin.ts'
import { Altered, openToken, type Token } from './token.ts'
import type { TokenUri } from './uri.ts'

/** Its turn included: a token serves one call at a time here. */
const CALL_MS = 5000
/** As many as are answered in time by a token that takes 20 ms. */
const WAITING_MAX = 256
/** Of which what agents ask for has no more: there is room for what is opened to end something. */
const SIGNING_MAX = 64
/** No more often is a session given up for what the token says it does not have: a new one may know better. */
const NEW_SESSION_MS = 1000

export interface UsingOptions {
  readonly uri: TokenUri
  /** The PIN as it is now. */
  readonly pin: () => Promise<Secret>
  readonly callMs?: number
}

type Work<T> = (token: Token) => Promise<T>
/**
 * Runs `work` with the token. Whatever keeps the token from answering is `unavailable`, with the reason
 * as its cause.
 *
 * @param wait how long, 5 s unless it is said; and behind how many
 */
export type Using = <T>(work: Work<T>, wait?: Wait) => Promise<T>
export interface Wait {
  readonly ms: number
  readonly behind?: number
}

/** An agent waits for two signatures, and the delivering side for one while it asks. */
export const TO_SIGN: Wait = { ms: 2000, behind: SIGNING_MAX }
/** A key is made rarely, by somebody who waits; one that is made after nobody waits is not told of. */
export const TO_MAKE: Wait = { ms: 60_000 }

/** Opened when it is first needed, and again whenever the token was away. */
export const usingToken = ({ uri, pin, callMs = CALL_MS }: UsingOptions): Using =>
  inTurns(opening(uri, pin), callMs)

/** The token has answered, and there is nothing to try again. */
export const answered = (why: string) => unavailable('keys', new TokenProblem(why))

function opening(uri: TokenUri, read: UsingOptions['pin']): () => Promise<Token> {
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

/** One after the other: a token that hangs holds one thread, and not all that there are. */
function inTurns(open: () => Promise<Token>, callMs: number): Using {
  let last: Promise<unknown> = Promise.resolve()
  let token: Token | null = null
  let [waiting, openedAt] = [0, -Infinity]
  async function once<T>(work: Work<T>): Promise<T> {
    if (token === null) {
      token = await open()
      openedAt = performance.now()
    }
    const isNew = performance.now() - openedAt < NEW_SESSION_MS
    try {
      return await work(token)
    } catch (error) {
      if (!isAnswer(error) && !(isNew && error instanceof TokenProblem)) {
        // It may be gone, and then so is its session.
        await token.close()
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
      if (token !== null || !isOld) throw error
      return await once(work)
    }
  }
  /** Whoever does not wait any more has a place until the token is done with who was before. */
  async function inTurn<T>(work: Work<T>, signal: AbortSignal, behind: number): Promise<T> {
    if (waiting >= behind) throw new TokenProblem('the token is busy: too many wait for it')
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
  return async function using<T>(work: Work<T>, wait: Wait = { ms: callMs }): Promise<T> {
    const { ms, behind = WAITING_MAX } = wait
    try {
      const late = AbortSignal.timeout(ms)
      return await Promise.race([inTurn(work, late, behind), over(late)])
    } catch (error) {
      throw isAnswer(error) ? error : unavailable('keys', error)
    }
  }
}

/** The token has answered, and a new session would answer the same. */
const isAnswer = (error: unknown) => error instanceof Altered || error instanceof BrokerError

/** Who waits lets go; the call goes on, and its turn lasts until it is over. */
function over(late: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const tell = () => {
      reject(late.reason as DOMException)
    }
    late.addEventListener('abort', tell, { once: true })
  })
}
