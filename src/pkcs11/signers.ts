/** Keys that sign and never leave a token. Each is tried, in each session, before anything is signed with it. */
import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto'
import type { JsonObject } from '../domain/json.ts'
import type { InToken, SigningKey } from '../domain/jws.ts'
import type { Token } from './token.ts'
import { answered, TO_MAKE, TO_SIGN, type Using } from './using.ts'
import { type KeyUri, keyUri, readKeyUri } from './uri.ts'

const ID_OCTETS = 16
const P1363 = { dsaEncoding: 'ieee-p1363' } as const

export interface Pair {
  /** Names the private half in its token. */
  readonly uri: string
  /** The public half. */
  readonly jwk: JsonObject
}
export interface Signers {
  /** Asks nothing yet. @throws TypeError when it names no key */
  at(uri: string, publicKey: KeyObject): Pick<SigningKey, 'sign'> & { readonly inToken: InToken }
  /** Under this label, and an id of its own. @throws unavailable `keys` */
  make(label: string): Promise<Pair>
}

export function createSigners(using: Using): Signers {
  const known = new Map<string, bigint>()
  const proven = new Set<string>()
  let of: Token | null = null

  /** What a key is known by lasts as long as the session. Whoever took over its name is not it. */
  async function keyOf(token: Token, { name, uri, publicKey }: Named): Promise<bigint> {
    if (of !== token) known.clear()
    of = token
    const found = known.get(name)
    if (found !== undefined) return found
    const key = await token.privateKey(uri)
    await refuseOther(token, key, publicKey)
    known.set(name, key)
    proven.add(name)
    return key
  }

  return {
    at(text, publicKey) {
      const { x, y } = publicKey.export({ format: 'jwk' })
      const named = { name: [text, x, y].join(' '), uri: readKeyUri(text), publicKey }
      return {
        async sign(octets) {
          const digest = sha256(octets)
          const work = async (token: Token) => token.sign(await keyOf(token, named), digest)
          return await using(work, TO_SIGN)
        },
        inToken: {
          async prove() {
            if (!proven.has(named.name)) await using((token) => keyOf(token, named))
          },
          async look() {
            await using((token) => token.privateKey(named.uri), TO_SIGN)
          },
        },
      }
    },
    make: (label) =>
      using(async (token) => {
        const id = randomBytes(ID_OCTETS)
        const jwk = await token.makePair(label, id)
        const key = await token.privateKey({ object: label, id })
        await refuseOther(token, key, createPublicKey({ key: jwk, format: 'jwk' }))
        return { uri: keyUri(label, id), jwk }
      }, TO_MAKE),
  }
}

interface Named {
  readonly name: string
  readonly uri: KeyUri
  readonly publicKey: KeyObject
}

/** Once a session and not at each signature: what does not verify is refused wherever it is shown. */
async function refuseOther(token: Token, key: bigint, publicKey: KeyObject): Promise<void> {
  const probe = randomBytes(32)
  const signature = await token.sign(key, sha256(probe))
  if (verify('sha256', probe, { key: publicKey, ...P1363 }, signature)) return
  throw answered('a key of the token is not the one whose public half is published')
}

const sha256 = (octets: Buffer) => createHash('sha256').update(octets).digest()
