/** A key that outlives this run: kept in a file that nobody else can read. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { generateKey, importKey, type Key } from '../../client/key.ts'
import { type JsonObject, parseTrusted } from '../../domain/json.ts'

/** The key of this file, made at the first call. */
export function keptKey(file: string): Key {
  try {
    return importKey(parseTrusted(readFileSync(file, 'utf8')) as JsonObject)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const key = generateKey()
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileSync(file, JSON.stringify(key.exportJwk()), { mode: 0o600, flag: 'wx' })
  return key
}
