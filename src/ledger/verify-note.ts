/** The verifier's own reading of C2SP signed-note and tlog-checkpoint. */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto'
import { Unchecked, Wrong } from './verify-findings.ts'

export interface Signed {
  readonly size: number
  readonly root: Buffer
}

export interface Key {
  readonly name: string
  readonly id: string
  readonly publicKey: KeyObject
}

/** Reads `name+id+key`. Throws `Unchecked`: a verifier without its keys can say nothing. */
export function keyOf(vkey: string): Key {
  const [, name = '', id = '', encoded = ''] = VKEY.exec(vkey) ?? []
  const octets = Buffer.from(encoded, 'base64')
  const named = Buffer.concat([Buffer.from(`${name}\n`), octets])
  const isEd25519 = octets.length === 33 && octets[0] === 1
  if (!isEd25519 || hash('sha256', named, 'hex').slice(0, 8) !== id) {
    throw new Unchecked('a key is not an Ed25519 verifier key')
  }
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: octets.subarray(1).toString('base64url') }
  return { name, id, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) }
}

/** Opens a checkpoint of the log of this origin, signed by a key of that name. Throws `Wrong`. */
export function checkpointOf(note: string, origin: string, keys: readonly Key[]): Signed {
  const [, body = '', name, size, encoded = '', lines = ''] = NOTE.exec(note) ?? []
  const root = Buffer.from(encoded, 'base64')
  const isExact = root.length === 32 && root.toString('base64') === encoded
  if (!isExact || !Number.isSafeInteger(Number(size))) {
    throw new Wrong('checkpoint', 'a checkpoint is malformed')
  }
  if (name !== origin) throw new Wrong('origin', 'a checkpoint is of another log')
  const own = keys.filter((key) => key.name === origin)
  const signatures = lines.trimEnd().split('\n')
  if (signatures.filter((line) => isSigned(line, body, own)).length === 0) {
    throw new Wrong('signature', 'a checkpoint is signed by no key of the log')
  }
  return { size: Number(size), root }
}

/** `false` for a key we do not know; a wrong signature by one that we do know is not overlooked. */
function isSigned(line: string, body: string, keys: readonly Key[]): boolean {
  const [, name, encoded = ''] = line.split(' ')
  const octets = Buffer.from(encoded, 'base64')
  if (octets.toString('base64') !== encoded) {
    throw new Wrong('checkpoint', 'a checkpoint is malformed')
  }
  const id = octets.toString('hex', 0, 4)
  const key = keys.find((known) => known.name === name && known.id === id)
  if (key === undefined) return false
  if (verify(null, Buffer.from(body), key.publicKey, octets.subarray(4))) return true
  throw new Wrong('signature', 'a signature on a checkpoint is wrong')
}

const VKEY = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/
const NOTE =
  /^(([^\n]+)\n(0|[1-9]\d*)\n([A-Za-z0-9+/=]{44})\n)\n((?:— [^\s+]+ [A-Za-z0-9+/=]+\n)+)$/
