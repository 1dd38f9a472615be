/** A new key for the seal that is in a token. */
import { tokenSeal } from '../delivery/token-seal.ts'
import type { SealUri } from '../pkcs11/uri.ts'
import { openAt, orReason } from '../token.ts'

/** Makes it, the first one too. @returns its version. @throws TokenProblem */
export async function rotateToken(uri: SealUri): Promise<string> {
  return await orReason(tokenSeal(openAt(uri), uri.object).rotate(new Date()))
}
