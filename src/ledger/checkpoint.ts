/** Checkpoints: C2SP tlog-checkpoint bodies in C2SP signed notes, with Ed25519 keys. */
import { createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import type { Hash } from './merkle.ts'

export interface Checkpoint {
  /** The issuer's host and port, and `/v1/ledger`; also the name of the key. */
  readonly origin: string
  readonly size: number
  readonly root: Buffer
}

type Claim = Pick<Checkpoint, 'origin' | 'size'> & { readonly root: Hash }

/** Why a note was not accepted. Wrong and unknown signatures are told apart. */
export class NoteError extends Error {
  override readonly name = 'NoteError'
}

/** A public key under its name, as `name+id+key`. */
export interface VerifierKey {
  readonly name: string
  /** 4 octets: signed-note's hash of name and key. */
  readonly id: Buffer
  readonly publicKey: KeyObject
}

/** tlog-checkpoint, without extension lines. */
export function checkpointBody({ origin, size, root }: Claim): string {
  return `${origin}\n${String(size)}\n${Buffer.from(root).toString('base64')}\n`
}

/** Reads a body back, in its one spelling. Throws `NoteError`. */
export function readCheckpoint(body: string): Checkpoint {
  const [origin = '', size = '', root = '', ...rest] = body.split('\n')
  const checkpoint = { origin, size: Number(size), root: Buffer.from(root, 'base64') }
  const isWhole =
    origin !== '' && checkpoint.size >= 0 && rest.length === 1 && checkpoint.root.length === 32
  if (!isWhole || !Number.isSafeInteger(checkpoint.size) || checkpointBody(checkpoint) !== body) {
    throw new NoteError('the body is not a checkpoint')
  }
  return checkpoint
}

/** Signs a body under a name; while keys rotate, with the old and the new one. */
export function signNote(body: string, name: string, ...keys: readonly KeyObject[]): string {
  const lines = keys.map((key) => {
    const signature = sign(null, Buffer.from(body), key)
    const id = keyId(name, rawOf(createPublicKey(key)))
    return `— ${name} ${Buffer.concat([id, signature]).toString('base64')}\n`
  })
  return `${body}\n${lines.join('')}`
}

/**
 * Opens a note that at least one of these keys has signed. Signatures by keys we do not know are
 * skipped; a bad one by a key we do know refuses the note. Throws `NoteError`.
 */
export function openNote(
  note: string,
  vkeys: readonly string[],
): { readonly body: string; readonly signers: readonly string[] } {
  const body = bodyOf(note)
  const keys = vkeys.map(readVkey)
  const lines = note.slice(body.length + 1).split('\n')
  if (lines.pop() !== '' || lines.length === 0 || lines.length > SIGNATURES_MAX) {
    throw new NoteError('the note has no signatures, too many, or is cut short')
  }
  const signers = lines.flatMap((line) => {
    const { name, id, signature } = readSignature(line)
    const key = keys.find((known) => known.name === name && known.id.equals(id))
    if (key === undefined) return []
    if (!verify(null, Buffer.from(body), key.publicKey, signature)) {
      throw new NoteError('a signature is wrong')
    }
    return [name]
  })
  if (signers.length === 0) throw new NoteError('no key that we know has signed this')
  return { body, signers }
}

/** Opens a note as a checkpoint that the log itself has signed. Throws `NoteError`. */
export function openCheckpoint(note: string, vkeys: readonly string[]): Checkpoint {
  const { body, signers } = openNote(note, vkeys)
  const checkpoint = readCheckpoint(body)
  if (!signers.includes(checkpoint.origin)) throw new NoteError('the log has not signed this')
  return checkpoint
}

/** What a note claims to say, whoever signed it. Throws `NoteError` if it is no note. */
export function bodyOf(note: string): string {
  const end = note.lastIndexOf('\n\n')
  if (end <= 0 || CONTROL.test(note)) throw new NoteError('this is not a signed note')
  return note.slice(0, end + 1)
}

/** The text form in which a key is published. */
export function vkeyOf(name: string, publicKey: KeyObject): string {
  const raw = rawOf(publicKey)
  const key = Buffer.concat([ED25519, raw]).toString('base64')
  return `${name}+${keyId(name, raw).toString('hex')}+${key}`
}

/** Throws `NoteError` unless it is an Ed25519 key under the id that its name gives it. */
export function readVkey(vkey: string): VerifierKey {
  const [, name = '', id = '', encoded = ''] = VKEY.exec(vkey) ?? []
  const key = Buffer.from(encoded, 'base64')
  const raw = key.subarray(1)
  const isKey = key.length === 33 && key[0] === 1 && key.toString('base64') === encoded
  if (!isKey || keyId(name, raw).toString('hex') !== id) throw new NoteError('this is not a vkey')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') }
  return {
    name,
    id: Buffer.from(id, 'hex'),
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
  }
}

function readSignature(line: string) {
  const [, name = '', encoded = ''] = SIGNATURE.exec(line) ?? []
  const octets = Buffer.from(encoded, 'base64')
  if (octets.length < 5 || octets.toString('base64') !== encoded) {
    throw new NoteError('a line is not a signature')
  }
  return { name, id: octets.subarray(0, 4), signature: octets.subarray(4) }
}

function keyId(name: string, raw: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(`${name}\n`), ED25519, raw])
  return hash('sha256', named, 'buffer').subarray(0, 4)
}

/** The 32 octets of an Ed25519 public key. */
function rawOf(publicKey: KeyObject): Buffer {
  const { crv, x } = publicKey.export({ format: 'jwk' })
  if (crv !== 'Ed25519' || x === undefined) throw new NoteError('the key is not Ed25519')
  return Buffer.from(x, 'base64url')
}

/** signed-note's algorithm byte. */
const ED25519 = Buffer.of(1)
const SIGNATURES_MAX = 100
const VKEY = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/
const SIGNATURE = /^— ([^\s+]+) ([A-Za-z0-9+/=]+)$/
// eslint-disable-next-line no-control-regex -- signed-note allows no control character but newline
const CONTROL = /[\u0000-\u0009\u000b-\u001f]|\p{Surrogate}/u
