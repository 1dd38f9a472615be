/** Makes a hop: what the holder of a token hands on of it, signed with the holder's key. */
import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { type ChainAuthority, narrow, type Narrowing } from '../domain/authority.ts'
import { type Digest, sha256 } from '../domain/digest.ts'
import { canonical, type Json, type JsonObject } from '../domain/json.ts'
import { algOf, publicJwk } from './keys.ts'
import { refusal, type Refusal } from './outcome.ts'
import { readChain } from './reading.ts'
import { authorities, depths } from './steps.ts'
import type { VerifiedHop } from './verified.ts'

/** What a hop is made from; a `VerifiedHop` is one, and so is what `heldBy` gives. */
export type Held = Pick<VerifiedHop, 'depth' | 'tokenHash' | 'exp' | 'nbf' | 'effective'> & {
  readonly token: Pick<VerifiedHop['token'], 'sub' | 'aud'>
}

export interface NewHop {
  readonly parent: Held
  readonly delegate: { readonly clientId: string; readonly jkt: string }
  /** What it may do; what is absent is all that the parent has. */
  readonly authority: Narrowing
  /** Unix seconds. */
  readonly iat: number
  readonly exp: number
  readonly nbf?: number
  /** 16 to 64 of `A-Z a-z 0-9 _ -`, unique for this signer. */
  readonly jti: string
  /** The private key that the parent is bound to. */
  readonly key: KeyObject
}

export type Made =
  | {
      readonly ok: true
      readonly token: string
      readonly tokenHash: Digest
      readonly effective: ChainAuthority
    }
  | Refusal

/**
 * Signs a hop, or says what about it is wider than its parent: nobody needs a broker to learn that.
 * All that is inherited is written out, so that verifiers that want it repeated accept it too.
 *
 * @throws TypeError for a key that is neither P-256 nor Ed25519
 */
export function hopToken(hop: NewHop): Made {
  const { parent, authority } = hop
  const depth = parent.depth + 1
  const narrowed = narrow(parent.effective, authority)
  if (!narrowed.ok) {
    const { field } = narrowed
    return refusal('not_narrower', depth, 'It is wider than what it rests on', { field })
  }
  const effective = narrowed.authority
  if (depth >= effective.delMaxDepth) {
    return refusal('depth_invalid', depth, 'The chain may not be longer')
  }
  if (hop.exp > parent.exp) {
    return refusal('expired', depth, 'It ends after its parent', { field: 'exp' })
  }
  if (hop.nbf !== undefined && hop.nbf < (parent.nbf ?? 0)) {
    return refusal('expired', depth, 'It begins before its parent', { field: 'nbf' })
  }
  const { token, tokenHash } = signed(hop, depth, effective)
  return { ok: true, token, tokenHash, effective }
}

/**
 * What the holder of a chain has to hand on: its last token, and what is left at it. No signature, no
 * time and no key is looked at; who relies on a chain verifies it.
 */
export function heldBy(
  tokens: readonly string[],
): { readonly ok: true; readonly held: VerifiedHop } | Refusal {
  const read = readChain(tokens)
  if (!read.ok) return read
  const misplaced = depths(read.tokens)
  if (misplaced) return misplaced
  const narrowed = authorities(read.tokens, false)
  if (!narrowed.ok) return narrowed
  return { ok: true, held: narrowed.hops.at(-1) ?? narrowed.hops[0] }
}

function signed(hop: NewHop, depth: number, effective: ChainAuthority) {
  const { jwk, jkt } = publicOf(hop.key)
  const { parent, delegate, iat, exp, nbf, jti } = hop
  const { scopes, purpose, constraints, delMaxDepth } = effective
  const alg = algOf(hop.key)
  const header = { alg, c14n: 'JCS', jwk, typ: 'at+jwt' }
  const detail = {
    type: 'agent_delegation',
    scopes: [...scopes],
    constraints: constraints.map((bound) => ({ ...bound }) as JsonObject),
  }
  const claims: JsonObject = {
    ...{ iss: `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${jkt}` },
    ...{ sub: parent.token.sub, aud: parent.token.aud, client_id: delegate.clientId },
    ...{ cnf: { jkt: delegate.jkt }, iat, exp, ...(nbf === undefined ? {} : { nbf }), jti },
    ...{ purpose, del_depth: depth, del_max_depth: delMaxDepth, par_hash: parent.tokenHash },
    authorization_details: [detail],
  }
  const input = `${encode(header)}.${encode(claims)}`
  const signature = sign(alg === 'ES256' ? 'sha256' : null, Buffer.from(input), {
    ...{ key: hop.key, dsaEncoding: 'ieee-p1363' },
  })
  return { token: `${input}.${signature.toString('base64url')}`, tokenHash: sha256(input) }
}

function publicOf(key: KeyObject) {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' }) as JsonObject
  const jwk = publicJwk({ crv, kty, x, ...(y === undefined ? {} : { y }) } as JsonObject)
  if (jwk === null) throw new TypeError('a hop is signed with a key of P-256 or Ed25519')
  return jwk
}

const encode = (value: Json) => Buffer.from(canonical(value)).toString('base64url')
