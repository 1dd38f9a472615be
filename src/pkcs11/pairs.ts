/** Pairs of keys that sign with ECDSA over P-256: the private half never was anywhere but in the token. */
import type { JsonObject } from '../domain/json.ts'
import { mechanism, readUlong, template, ulong } from './layout.ts'
import { type Module, TokenProblem } from './module.ts'
import { CKA, FLAGS, flawOf, foundIn, NO, toldOf, withValue, YES } from './objects.ts'
import type { KeyUri } from './uri.ts'

const [PRIVATE_KEY, EC] = [3, 3]
const [EC_PAIR_GEN, ECDSA] = [0x1040, 0x1041]
/** The OID of the curve, in DER. */
const P256 = Buffer.from('06082a8648ce3d030107', 'hex')
const COORDINATE = 32
const POINT = 1 + 2 * COORDINATE
const SIGNATURE = 2 * COORDINATE

/** @throws TokenProblem unless exactly one fits, and nobody else can have it; TokenFault */
export async function privateKeyAt(module: Module, session: bigint, uri: KeyUri): Promise<bigint> {
  const name = nameOf(uri)
  const [key, another] = await foundIn(module, session, [
    [CKA.class, ulong(PRIVATE_KEY)],
    [CKA.keyType, ulong(EC)],
    [CKA.token, YES],
    ...(uri.object === null ? [] : [[CKA.label, Buffer.from(uri.object)] as const]),
    ...(uri.id === null ? [] : [[CKA.id, uri.id] as const]),
  ])
  if (key === undefined) throw new TokenProblem(`the token has no private key of ${name}`)
  if (another !== undefined) throw new TokenProblem(`the token has two private keys of ${name}`)
  const told = await toldOf(module, { session, object: key }, FLAGS)
  const flaw = told === null ? 'does not say what it is' : flawOf(told)
  if (flaw !== null) throw new TokenProblem(`the private key of ${name} ${flaw}: make another`)
  return key
}

const nameOf = ({ object, id }: KeyUri) =>
  [object === null ? '' : `label ${object}`, id === null ? '' : `CKA_ID ${id.toString('hex')}`]
    .filter((it) => it !== '')
    .join(' and ')

/** @param digest SHA-256. @returns r and s, as JWS has them (P1363) */
export async function signAt(
  module: Module,
  { session, key }: { readonly session: bigint; readonly key: bigint },
  digest: Buffer,
): Promise<Buffer> {
  const [out, length] = [Buffer.alloc(SIGNATURE), ulong(SIGNATURE)]
  await module.call('C_SignInit', session, mechanism(ECDSA), key)
  await module.call('C_Sign', session, digest, digest.length, out, length)
  if (Number(readUlong(length)) !== SIGNATURE) throw new TokenProblem('the token signs otherwise')
  return out
}

/** @returns the public half, as a JWK has it. @throws TokenProblem, TokenFault */
export async function makePair(
  module: Module,
  session: bigint,
  { label, id }: { readonly label: string; readonly id: Buffer },
): Promise<JsonObject> {
  const named = [
    [CKA.token, YES],
    [CKA.label, Buffer.from(label)],
    [CKA.id, id],
  ] as const
  const verifies = [[CKA.ecParams, P256], [CKA.verify, YES], [CKA.private, NO], ...named] as const
  const signs = [
    ...named,
    ...[CKA.private, CKA.sensitive, CKA.sign].map(withValue(YES)),
    ...[CKA.extractable, CKA.decrypt, CKA.unwrap, CKA.derive].map(withValue(NO)),
  ]
  const [one, other] = [template(verifies, module.addressOf), template(signs, module.addressOf)]
  const [open, hidden] = [ulong(), ulong()]
  const halves = [one.whole, one.count, other.whole, other.count] as const
  await module.call('C_GenerateKeyPair', session, mechanism(EC_PAIR_GEN), ...halves, open, hidden)
  const room = [[CKA.ecPoint, Buffer.alloc(2 + POINT)]] as const
  const [point] = (await toldOf(module, { session, object: readUlong(open) }, room)) ?? []
  return publicHalf(point ?? Buffer.alloc(0))
}

/** `CKA_EC_POINT` is an OCTET STRING around the point; tokens of before 2.30 leave that out. */
export function publicHalf(answer: Buffer): JsonObject {
  const isWrapped = answer.length === 2 + POINT && answer[0] === 4 && answer[1] === POINT
  const point = isWrapped ? answer.subarray(2) : answer
  if (point.length !== POINT || point[0] !== 4) {
    throw new TokenProblem('the token does not tell the public half of what it made')
  }
  const [x, y] = [point.subarray(1, 1 + COORDINATE), point.subarray(1 + COORDINATE)]
  const [crv, kty] = ['P-256', 'EC']
  return { crv, kty, x: x.toString('base64url'), y: y.toString('base64url') }
}
