/** The keys that credentials are signed with, as the broker publishes them; kept, and asked for again. */
import { createPublicKey } from 'node:crypto'
import { isObject, type Json, type JsonObject, readJson } from '../domain/json.ts'
import type { PublicKey } from '../domain/jws.ts'

/** Never used longer: a key that the broker took back is refused from then on. */
const KEPT_MS = 300_000
/** A token under a key that is not known may make us ask again this often, and no more. */
const ASK_AGAIN_MS = 10_000
const TIMEOUT_MS = 5000

export interface CredentialKeys {
  /** @throws KeysUnavailable when there are none that are fresh enough */
  current(): Promise<readonly PublicKey[]>
  /** Asks again for what is not among them, if it was not asked just now. As `current` otherwise. */
  again(): Promise<readonly PublicKey[]>
}

export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

export interface KeysOptions {
  readonly issuer: string
  /** The JWK Set; left out, it is fetched from where the issuer publishes it. */
  readonly load?: () => Promise<JsonObject>
  /** Milliseconds, of a clock that nobody sets. */
  readonly elapsed?: () => number
}

/** One request at a time, however many wait for it. */
export function createCredentialKeys(options: KeysOptions): CredentialKeys {
  const { issuer, load = () => published(issuer), elapsed = () => performance.now() } = options
  let [keys, loadedAt, askedAt]: [readonly PublicKey[], number, number] = [[], -Infinity, -Infinity]
  let asking: Promise<readonly PublicKey[]> | null = null

  async function ask(): Promise<readonly PublicKey[]> {
    askedAt = elapsed()
    try {
      const found = keysIn(await load())
      ;[keys, loadedAt] = [found, askedAt]
      return found
    } catch (cause) {
      throw new KeysUnavailable(`the keys of ${issuer} cannot be had`, { cause })
    }
  }
  const isFresh = () => elapsed() - loadedAt < KEPT_MS
  const asked = () => (asking ??= ask().finally(() => (asking = null)))
  return {
    current: () => (isFresh() ? Promise.resolve(keys) : asked()),
    again: () =>
      elapsed() - askedAt < ASK_AGAIN_MS && isFresh() ? (asking ?? Promise.resolve(keys)) : asked(),
  }
}

async function published(issuer: string): Promise<JsonObject> {
  const answer = await fetch(`${issuer}/.well-known/jwks/credentials.json`, {
    ...{ redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) },
  })
  if (!answer.ok) throw new Error(`answered with ${String(answer.status)}`)
  return readJson(new Uint8Array(await answer.arrayBuffer()))
}

/** Those of a kind that credentials are signed with; of the others nothing is said. */
function keysIn({ keys }: JsonObject): readonly PublicKey[] {
  if (!Array.isArray(keys)) throw new Error('no JWK Set')
  return keys.flatMap((jwk) => keyIn(jwk) ?? [])
}

function keyIn(jwk: Json): PublicKey | null {
  if (!isObject(jwk) || typeof jwk['kid'] !== 'string') return null
  const alg = { 'P-256': 'ES256', Ed25519: 'Ed25519' } as const
  const named = jwk['crv'] === 'P-256' || jwk['crv'] === 'Ed25519' ? alg[jwk['crv']] : null
  if (named === null || jwk['alg'] !== named) return null
  return { kid: jwk['kid'], alg: named, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) }
}
