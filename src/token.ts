/** The one token of this process, as it is configured: what it seals in is what it signs in. */
import { readFile, stat } from 'node:fs/promises'
import type { Config } from './config.ts'
import { BrokerError } from './domain/problems.ts'
import { Secret } from './domain/secret.ts'
import { KeyError } from './key-files.ts'
import { TokenProblem } from './pkcs11/module.ts'
import { createSigners, type Signers } from './pkcs11/signers.ts'
import type { TokenUri } from './pkcs11/uri.ts'
import { type Using, usingToken } from './pkcs11/using.ts'

export type TokenPlace = Partial<Pick<Config, 'sealToken' | 'signerToken'>>
type Warn = (text: string) => void

export interface OpenToken {
  readonly using: Using
  /** `null`: no key that signs is in it. */
  readonly signers: Signers | null
}

/** Opened when it is first needed; `null`: none is configured. */
export function tokenOf({ sealToken, signerToken }: TokenPlace, warn?: Warn): OpenToken | null {
  // Of both it is known that they name the same.
  const uri = signerToken ?? sealToken
  if (!uri) return null
  const using = openAt(uri, warn)
  return { using, signers: signerToken ? createSigners(using) : null }
}

export const openAt = (uri: TokenUri, warn?: Warn): Using =>
  usingToken({ uri, pin: () => readPin(uri.pinFile, warn) })

/** As whoever configured it has to know it. */
export async function orReason<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw reasonOf(error)
  }
}

/** What a caller is not told. */
export function reasonOf(error: unknown): unknown {
  if (!(error instanceof BrokerError && error.cause instanceof Error)) return error
  const { cause } = error
  const isSaid = cause instanceof TokenProblem || cause instanceof KeyError
  return isSaid ? cause : new TokenProblem(`the token: ${cause.message}`)
}

/** Whether it could be used now. Why not is told when it begins, and not each time. */
export function watchUsable(look: () => Promise<unknown>, tell: (error: unknown) => void) {
  let wasUsable = true
  return async (): Promise<boolean> => {
    try {
      await look()
      wasUsable = true
    } catch (error) {
      if (wasUsable) tell(reasonOf(error))
      wasUsable = false
    }
    return wasUsable
  }
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
