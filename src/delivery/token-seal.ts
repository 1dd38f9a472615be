/** A key store whose keys never leave a token: what it wraps and unwraps passes through the token. */
import type { Keys } from '../pkcs11/keys.ts'
import { TokenProblem } from '../pkcs11/module.ts'
import type { Token } from '../pkcs11/token.ts'
import { answered, TO_MAKE, type Using } from '../pkcs11/using.ts'
import type { KeyStore } from './key-store.ts'

export interface TokenStore extends KeyStore {
  /**
   * Makes a key in the token: from now on it wraps, and the others unwrap.
   *
   * @returns its version
   * @throws unavailable `keys` too where that is not the newest, or a key is there that is no seal
   */
  rotate(now: Date): Promise<string>
}

/** @param label of the keys; each of them is a version */
export function tokenSeal(using: Using, label: string): TokenStore {
  let known: ReadonlyMap<string, bigint> = new Map()
  let of: Token | null = null
  async function look(token: Token): Promise<Keys> {
    const keys = await token.keys(label)
    ;[known, of] = [keys.byVersion, token]
    return keys
  }
  /** What a key is known by lasts as long as the session. */
  async function keyOf(token: Token, version: string): Promise<bigint> {
    if (of !== token || !known.has(version)) await look(token)
    const key = known.get(version)
    if (key === undefined) throw new TokenProblem(`the token has no key of version ${version}`)
    return key
  }
  /** The keys of the seal, where no other could be taken for one. What they sealed is opened in any case. */
  async function allOf(token: Token) {
    const { byVersion, trouble } = await look(token)
    if (trouble !== null) throw answered(trouble)
    return [...byVersion]
  }
  async function newest(token: Token): Promise<readonly [string, bigint]> {
    const key = (await allOf(token)).at(-1)
    if (key !== undefined) return key
    throw new TokenProblem(`the token has no key ${label}: procura keys rotate seal`)
  }
  return {
    current: () => using(async (token) => (await newest(token))[0]),
    wrap: (plain, boundTo) =>
      using(async (token) => {
        const [version, key] = await newest(token)
        return { version, octets: await token.seal(key, boundTo(version), plain) }
      }),
    unwrap: ({ version, octets }, boundTo) =>
      using(async (token) => {
        const key = await keyOf(token, version)
        return await token.open(key, boundTo(version), octets)
      }),
    rotate: (now) =>
      using(async (token) => {
        const [last] = (await allOf(token)).at(-1) ?? []
        const made = await token.makeKey(label, last, now)
        const [version] = await newest(token)
        if (version === made) return made
        throw answered(`made ${made}, and ${version} is newer: somebody else makes keys here`)
      }, TO_MAKE),
  }
}
