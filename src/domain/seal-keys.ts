/** What `seal.key` holds: one key a line, 32 octets each. The first seals; the others open what they sealed. */
import type { Secret } from './secret.ts'

/** @throws TypeError when a line is not 32 octets in base64url */
export function sealKeysOf(text: Secret): readonly [Buffer, ...Buffer[]] {
  const [first, ...others] = text
    .reveal()
    .split(/[\s,]+/)
    .filter((line) => line !== '')
    .map(octets)
  if (first === undefined) throw wrong()
  return [first, ...others]
}

function octets(line: string): Buffer {
  const bytes = Buffer.from(line, 'base64url')
  if (bytes.length === 32 && bytes.toString('base64url') === line) return bytes
  throw wrong()
}

const wrong = () => new TypeError('a sealing key is not 32 octets in base64url (43 characters)')
