/** What wraps the keys of targets' secrets, as it is configured: the seal in its file, or keys in a token. */
import { readFile, stat } from 'node:fs/promises'
import type { Config } from './config.ts'
import { fileKeyStore, type KeyStore } from './delivery/key-store.ts'
import { pkcs11KeyStore, type TokenStore } from './delivery/pkcs11/key-store.ts'
import { isOfToken } from './delivery/pkcs11/keys.ts'
import { TokenProblem } from './delivery/pkcs11/module.ts'
import type { TokenUri } from './delivery/pkcs11/uri.ts'
import { BrokerError } from './domain/problems.ts'
import { Secret } from './domain/secret.ts'
import { loadDeliverySeal, loadSeal } from './keys.ts'

export type SealPlace = Pick<Config, 'keysDir' | 'sealKey'> & Partial<Pick<Config, 'sealToken'>>
type Warn = (text: string) => void

/** @param seal `null`: a token seals, and nothing is left of a file */
export function sealStore(at: SealPlace, seal: Secret | null, warn?: Warn): KeyStore {
  const file = seal === null ? null : fileKeyStore(seal, () => loadSeal(at.keysDir, at))
  if (at.sealToken) return before(tokenStore(at.sealToken, warn), file)
  if (file === null) throw new TypeError('there is no seal')
  return file
}

/** For a command. @throws KeyError, or an Error that says why nothing could be sealed */
export async function openSealStore(at: SealPlace, warn?: Warn): Promise<KeyStore> {
  const keys = sealStore(at, await loadDeliverySeal(at.keysDir, at), warn)
  await refuseUnusable(keys)
  return keys
}

export const tokenStore = (uri: TokenUri, warn?: Warn): TokenStore =>
  pkcs11KeyStore({ uri, pin: () => readPin(uri.pinFile, warn) })

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
export async function refuseUnusable(keys: KeyStore): Promise<void> {
  try {
    await keys.current()
  } catch (error) {
    throw reasonOf(error)
  }
}

/** Whether something could be sealed. Why not is told when it begins, and not each time. */
export function watchUsable(keys: KeyStore, tell: (error: unknown) => void) {
  let wasUsable = true
  return async (): Promise<boolean> => {
    try {
      await keys.current()
      wasUsable = true
    } catch (error) {
      if (wasUsable) tell(reasonOf(error))
      wasUsable = false
    }
    return wasUsable
  }
}

/** What a caller is not told. */
export function reasonOf(error: unknown): unknown {
  if (!(error instanceof BrokerError && error.cause instanceof Error)) return error
  const { cause } = error
  return cause instanceof TokenProblem ? cause : new TokenProblem(`the token: ${cause.message}`)
}

async function readPin(file: string, warn: Warn = () => undefined): Promise<Secret> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) warn(`${file} can be read by others on this machine: chmod 600 it`)
    return new Secret((await readFile(file, 'utf8')).replace(/\r?\n$/, ''))
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new TokenProblem(`the PIN of the token cannot be read: ${file} (${why})`)
  }
}
