/** A new key for the seal that is in a token. */
import type { TokenUri } from '../delivery/pkcs11/uri.ts'
import { reasonOf, tokenStore } from '../seal-store.ts'

/** Makes it, the first one too. @returns its version. @throws TokenProblem */
export async function rotateToken(uri: TokenUri): Promise<string> {
  try {
    return await tokenStore(uri).rotate(new Date())
  } catch (error) {
    throw reasonOf(error)
  }
}
