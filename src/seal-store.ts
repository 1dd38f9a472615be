/** What wraps the keys of targets' secrets, as it is configured: the seal in its file, or keys in a token. */
import type { Config } from './config.ts'
import { fileKeyStore, type KeyStore } from './delivery/key-store.ts'
import { tokenSeal } from './delivery/token-seal.ts'
import type { Secret } from './domain/secret.ts'
import { loadDeliverySeal, loadSeal } from './keys.ts'
import { isOfToken } from './pkcs11/keys.ts'
import type { Using } from './pkcs11/using.ts'
import { orReason, tokenOf } from './token.ts'

export type SealPlace = Pick<Config, 'keysDir' | 'sealKey'> & Partial<Pick<Config, 'sealToken'>>

/**
 * @param seal `null`: a token seals, and nothing is left of a file
 * @param using the token, where one seals
 */
export function sealStore(at: SealPlace, seal: Secret | null, using: Using | null): KeyStore {
  const file = seal === null ? null : fileKeyStore(seal, () => loadSeal(at.keysDir, at))
  if (at.sealToken && using !== null) return before(tokenSeal(using, at.sealToken.object), file)
  if (file === null) throw new TypeError('there is no seal')
  return file
}

/** For a command. @throws KeyError, or an Error that says why nothing could be sealed */
export async function openSealStore(at: SealPlace, using = usingOf(at)): Promise<KeyStore> {
  const keys = sealStore(at, await loadDeliverySeal(at.keysDir, at), using)
  await refuseUnusable(keys)
  return keys
}

const usingOf = (at: SealPlace) => tokenOf({ sealToken: at.sealToken ?? null })?.using ?? null

/** What the file wrapped before there was a token stays open, until it is wrapped anew. */
function before(token: KeyStore, file: KeyStore | null): KeyStore {
  const storeOf = (version: string) => (file === null || isOfToken(version) ? token : file)
  return {
    current: () => token.current(),
    wrap: (plain, boundTo) => token.wrap(plain, boundTo),
    unwrap: (wrapped, boundTo) => storeOf(wrapped.version).unwrap(wrapped, boundTo),
  }
}

/** @throws Error that says why nothing could be sealed */
export const refuseUnusable = (keys: KeyStore) => orReason(keys.current())
