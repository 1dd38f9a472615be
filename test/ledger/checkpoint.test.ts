import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  checkpointBody,
  NoteError,
  openCheckpoint,
  openNote,
  readCheckpoint,
  readVkey,
  signNote,
  vkeyOf,
} from '../../src/ledger/checkpoint.ts'
import { EMPTY_TREE, grow, leafHash, rootOf } from '../../src/ledger/merkle.ts'
import { keyFrom, LOG_KEY, ORIGIN, VKEY } from '../fakes/ledger-export.ts'

/** The published example: three leaves, one key. */
const NOTE = `broker.example/v1/ledger
3
a6C9czesvSAbGYWI2Zi56VwR0G2usyAQZN3cJXfaXiw=

— broker.example/v1/ledger 0R9Vu0EqJk/QW4v8H5GtZENCd4zi1EOMhIUKIrTCnZtXKWF1o0YVtkEL9JXYdKoq+0upc9pcycsxJodX0AgXpLZhjA4=
`
const leaves = [0, 1, 2].map((seq) =>
  leafHash(`{"event_type":"example","seq":${String(seq)},"v":1}`),
)
const root = Buffer.from(rootOf(grow(EMPTY_TREE, leaves).tree))
const body = checkpointBody({ origin: ORIGIN, size: 3, root })
const newKey = keyFrom('the key after it')
const newVkey = vkeyOf(ORIGIN, createPublicKey(newKey))

describe('a checkpoint', () => {
  it('is the published example, to the octet', () => {
    expect(VKEY).toBe(
      'broker.example/v1/ledger+d11f55bb+AZ5aEabFXp4Mda6UbO/7YUR0aBd+iTT8CyiekSiFlrAX',
    )
    expect(signNote(body, ORIGIN, LOG_KEY)).toBe(NOTE)
    expect(openCheckpoint(NOTE, [VKEY])).toEqual({ origin: ORIGIN, size: 3, root })
  })

  it('is accepted with the old or the new key while keys rotate', () => {
    const note = signNote(body, ORIGIN, LOG_KEY, newKey)
    expect(openNote(note, [VKEY]).signers).toEqual([ORIGIN])
    expect(openNote(note, [newVkey]).signers).toEqual([ORIGIN])
    expect(openNote(note, [VKEY, newVkey]).signers).toEqual([ORIGIN, ORIGIN])
  })

  it('skips the signatures of keys that it does not know', () => {
    const witnessed = `${NOTE}— witness.example ${Buffer.alloc(76, 7).toString('base64')}\n`
    expect(openCheckpoint(witnessed, [VKEY]).size).toBe(3)
  })

  it.each<[string, string]>([
    ['another size', NOTE.replace('\n3\n', '\n4\n')],
    ['another root', NOTE.replace('a6C9', 'a6C8')],
    ['another origin', NOTE.replaceAll('broker.example', 'other.example')],
    ['a changed signature', NOTE.replace('LZhjA4', 'LZhjA5')],
    ['a key that signed as another [AUD-11]', signNote(body, ORIGIN, newKey)],
    ['another name beside the right key', signNote(body, 'other.example', LOG_KEY)],
    [
      'a good signature beside a bad one',
      NOTE + (NOTE.split('\n')[4] ?? '').replace('XKWF1', 'XKWF2') + '\n',
    ],
    ['no signature', `${body}\n`],
    ['no blank line', NOTE.replace('\n\n', '\n')],
    ['an end cut off', NOTE.slice(0, -1)],
    ['something after the signatures', `${NOTE}\n`],
    ['a carriage return', NOTE.replaceAll('\n', '\r\n')],
    ['nothing', ''],
  ])('is refused with %s', (_what, note) => {
    expect(openCheckpoint(NOTE, [VKEY]).size).toBe(3)
    expect(() => openCheckpoint(note, [VKEY])).toThrow(NoteError)
  })

  it('is refused when only somebody else signed it', () => {
    const witness = vkeyOf('witness.example', createPublicKey(newKey))
    const note = signNote(body, 'witness.example', newKey)
    expect(openNote(note, [witness]).signers).toEqual(['witness.example'])
    expect(() => openCheckpoint(note, [witness, VKEY])).toThrow('the log has not signed this')
  })

  it.each<[string, string]>([
    ['an extension line', body + 'extra\n'],
    ['a size with a zero before it', body.replace('3', '03')],
    ['a negative size', body.replace('3', '-3')],
    ['an unsafe size', body.replace('3', '9007199254740993')],
    ['a short root', body.replace('a6C9', '')],
    ['a root in another spelling', body.replace('Xiw=', 'Xix=')],
    ['no origin', body.slice(ORIGIN.length)],
    ['no newline at the end', body.slice(0, -1)],
  ])('has one spelling, and so not %s', (_what, text) => {
    expect(readCheckpoint(body).size).toBe(3)
    expect(() => readCheckpoint(text)).toThrow(NoteError)
  })
})

describe('a verifier key', () => {
  it('is read as it was written', () => {
    const { name, publicKey } = readVkey(VKEY)
    expect(vkeyOf(name, publicKey)).toBe(VKEY)
  })

  it.each<[string, string]>([
    ['the id of another', VKEY.replace('d11f55bb', 'd11f55bc')],
    ['another name', VKEY.replace('broker', 'brokes')],
    ['another algorithm', VKEY.replace('+AZ5', '+BZ5')],
    ['a key cut short', VKEY.slice(0, -4)],
    ['nothing', ''],
  ])('is refused with %s', (_what, vkey) => {
    expect(() => readVkey(vkey)).toThrow(NoteError)
  })

  it('is made of an Ed25519 key only', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(() => vkeyOf(ORIGIN, publicKey)).toThrow(NoteError)
  })
})
