/** The public key of the ledger whose private one lies in the key folder here, if one does. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { vkeyOf } from '../ledger/checkpoint.ts'
import { configuration } from './settings.ts'

/** As `name+id+key`; `null` where this machine has no such key. */
export function localVerifierKey(origin: string, keysDir = configuration().keysDir): string | null {
  try {
    return vkeyOf(origin, createPublicKey(readFileSync(join(keysDir, 'ledger.key'), 'utf8')))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
