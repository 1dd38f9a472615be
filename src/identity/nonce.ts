/** DPoP nonces (RFC 9449 §8): made from the time and a key that all replicas share, kept nowhere. */
import { createHmac, type KeyObject } from 'node:crypto'

const WINDOW_SECONDS = 150

export interface Nonces {
  /** Whether a proof without a nonce is refused. One that is there is always checked. */
  readonly isRequired: boolean
  /** What the next proof should carry. */
  current(now: Date): string
  /** The current one, or the one before it. */
  isFresh(nonce: string, now: Date): boolean
}

export function createNonces(key: KeyObject, isRequired: boolean): Nonces {
  let made: { window: number; current: string; previous: string } | undefined

  function at(now: Date) {
    const window = Math.floor(now.getTime() / 1000 / WINDOW_SECONDS)
    if (made?.window !== window) {
      made = { window, current: nonceOf(key, window), previous: nonceOf(key, window - 1) }
    }
    return made
  }

  return {
    isRequired,
    current: (now) => at(now).current,
    isFresh(nonce, now) {
      const { current, previous } = at(now)
      return nonce === current || nonce === previous
    },
  }
}

const nonceOf = (key: KeyObject, window: number) =>
  createHmac('sha256', key)
    .update(`procura nonce ${String(window)}`)
    .digest('base64url')
    .slice(0, 22)
