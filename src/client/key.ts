/** The key of an instance, agent or service: made here, kept by whoever runs it, never sent. */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto'
import { hopToken, type Made, type NewHop } from '../chain/sign.ts'
import { canonical, type JsonObject } from '../domain/json.ts'

export interface Key {
  readonly publicJwk: JsonObject
  /** RFC 7638 thumbprint: what sessions and credentials are bound to. */
  readonly jkt: string
  /** A compact JWS (ES256) over these claims. The header names the type, and the key where asked. */
  sign(typ: string, claims: JsonObject, header?: JsonObject): string
  /** A hop below the token that this key holds, or why there can be none. */
  hop(hop: Omit<NewHop, 'key'>): Made
  /** For keeping in a file that nobody else can read. */
  exportJwk(): JsonObject
}

/** A fresh P-256 key. */
export function generateKey(): Key {
  return keyOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
}

/** @throws TypeError when it is not a private P-256 key */
export function importKey(jwk: JsonObject): Key {
  if (jwk['kty'] !== 'EC' || jwk['crv'] !== 'P-256' || typeof jwk['d'] !== 'string') {
    throw new TypeError('not a private P-256 key in JWK form')
  }
  return keyOf(createPrivateKey({ key: jwk, format: 'jwk' }))
}

function keyOf(privateKey: KeyObject): Key {
  const exported = privateKey.export({ format: 'jwk' })
  const { x, y } = exported as { x: string; y: string }
  const publicJwk = { crv: 'P-256', kty: 'EC', x, y }
  return {
    publicJwk,
    jkt: createHash('sha256').update(canonical(publicJwk)).digest('base64url'),
    sign(typ, claims, header = {}) {
      const head = encode(canonical({ alg: 'ES256', typ, ...header }))
      const input = `${head}.${encode(canonical(claims))}`
      const options = { key: privateKey, dsaEncoding: 'ieee-p1363' } as const
      return `${input}.${sign('sha256', Buffer.from(input), options).toString('base64url')}`
    },
    hop: (hop) => hopToken({ ...hop, key: privateKey }),
    exportJwk: () => privateKey.export({ format: 'jwk' }) as JsonObject,
  }
}

const encode = (text: string) => Buffer.from(text).toString('base64url')
