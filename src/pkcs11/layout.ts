/**
 * The structures of PKCS #11 2.40 in memory, where a `CK_ULONG` has 64 bits. Each is one buffer with all
 * that it points to, so that whoever keeps the buffer keeps it all.
 */
export type AddressOf = (buffer: Buffer) => bigint

const WORD = 8

export function ulong(value: number | bigint = 0): Buffer {
  const word = Buffer.alloc(WORD)
  word.writeBigUInt64LE(BigInt(value))
  return word
}

export const readUlong = (from: Buffer, word = 0) => from.readBigUInt64LE(word * WORD)

const words = (...values: readonly (number | bigint)[]) => Buffer.concat(values.map(ulong))

export type Attribute = readonly [type: number, value: Buffer]

/** `CK_ATTRIBUTE[]`. A buffer of zeros is room for what the token answers. */
export function template(attributes: readonly Attribute[], addressOf: AddressOf) {
  const head = attributes.length * 3 * WORD
  const values = attributes.map(([, value]) => value)
  const whole = Buffer.concat([Buffer.alloc(head), ...values])
  const base = addressOf(whole)
  let at = head
  const places = attributes.map(([type, { length }], n) => {
    words(type, base + BigInt(at), length).copy(whole, n * 3 * WORD)
    at += length
    return { at: at - length, length: n * 3 + 2 }
  })
  return {
    whole,
    count: attributes.length,
    /** What the token wrote, as long as it says that it is. */
    answers: () =>
      places.map(({ at: from, length }) =>
        whole.subarray(from, from + Number(readUlong(whole, length))),
      ),
  }
}

/** `CK_MECHANISM` with no parameter. */
export const mechanism = (type: number) => words(type, 0, 0)

const CKM_AES_GCM = 0x1087
const GCM_WORDS = 6
const TAG_BITS = 128

/** `CK_MECHANISM` of AES-GCM with its `CK_GCM_PARAMS`, as of errata 1. */
export function gcm(nonce: Buffer, boundTo: Buffer, addressOf: AddressOf): Buffer {
  const [parameters, data] = [3 * WORD, (3 + GCM_WORDS) * WORD]
  const whole = Buffer.concat([Buffer.alloc(data), nonce, boundTo])
  const at = (offset: number) => addressOf(whole) + BigInt(offset)
  words(
    ...[CKM_AES_GCM, at(parameters), GCM_WORDS * WORD],
    ...[at(data), nonce.length, nonce.length * 8],
    ...[at(data + nonce.length), boundTo.length, TAG_BITS],
  ).copy(whole)
  return whole
}

/** `CKF_OS_LOCKING_OK`: we come from several threads. */
export const initialization = () => words(0, 0, 0, 0, 2, 0)

/** `CK_TOKEN_INFO`: four texts padded with blanks, the flags, and what is of no use here. */
const INFO_OCTETS = 256
const TEXTS = { token: [0, 32], manufacturer: [32, 64], model: [64, 80], serial: [80, 96] } as const

export const tokenInfo = () => Buffer.alloc(INFO_OCTETS)

export function readTokenInfo(info: Buffer) {
  const text = ([from, to]: readonly [number, number]) => info.toString('utf8', from, to).trimEnd()
  return {
    ...{ token: text(TEXTS.token), manufacturer: text(TEXTS.manufacturer) },
    ...{ model: text(TEXTS.model), serial: text(TEXTS.serial) },
    flags: Number(readUlong(info, 12)),
  }
}
