/** Where this program lies: its migrations, and which version it is. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isObject, parseTrusted } from '../domain/json.ts'

/** The same two steps up from src/cli and from dist/cli. */
const ROOT = join(import.meta.dirname, '..', '..')

/** The set that is shipped, for those who have none of their own yet. */
export const POLICIES = join(ROOT, 'policies')
export const MIGRATIONS = join(ROOT, 'migrations')
export const VERSION = versionOf(join(ROOT, 'package.json'))

function versionOf(file: string): string {
  const manifest = parseTrusted(readFileSync(file, 'utf8'))
  const version = isObject(manifest) ? manifest['version'] : undefined
  return typeof version === 'string' ? version : '0.0.0'
}
