/** A process shows a PIN to a token once: what was refused is not shown again, for tokens lock after a few. */
import type { Secret } from '../domain/secret.ts'
import { TokenFault, TokenProblem } from './module.ts'

export interface PinOnce {
  /** @throws TokenProblem when the token refuses it, or has refused it before */
  show(login: (text: Buffer) => Promise<void>): Promise<void>
}

const ALREADY_LOGGED_IN = 0x100
/** `CKR_…` that say that the token failed, and nothing of the PIN. Whatever is not here may be about the PIN. */
const FAILURES = [0x02, 0x05, 0x06, 0x30, 0x31, 0x32, 0xb0, 0xb1, 0xb3, 0xe0, 0xe1]

/** @param read the PIN as it is now: another one is tried */
export function pinOnce(read: () => Promise<Secret>): PinOnce {
  let refused: Secret | null = null
  return {
    async show(login) {
      const pin = await read()
      if (refused?.reveal() === pin.reveal()) throw refusal('and it is the same still')
      const text = Buffer.from(pin.reveal())
      try {
        await login(text)
      } catch (error) {
        if (!(error instanceof TokenFault) || FAILURES.includes(error.code)) throw error
        // By another session of this process: it is logged in to once for all of them.
        if (error.code === ALREADY_LOGGED_IN) return
        refused = pin
        throw refusal(error.message)
      } finally {
        text.fill(0)
      }
    },
  }
}

const refusal = (why: string) =>
  new TokenProblem(`the token refused the PIN, which is not tried again (${why})`)
