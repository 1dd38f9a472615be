/** The two tokens of a chain, as they are once their bytes and members were found to be in order. */
import type { Constraint } from '../domain/constraint.ts'
import type { Digest } from '../domain/digest.ts'
import type { AgentId, ConsentId, InstanceId, PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'

/** Read, and not believed: no signature was looked at. Times are Unix seconds. */
interface Token {
  /** As it travels. */
  readonly compact: string
  /** SHA-256 (base64url) of the signing input: its identity, and its children's `par_hash`. */
  readonly tokenHash: Digest
  /** `header.payload`, which the signature is over. */
  readonly input: string
  readonly signature: Buffer
  /** As the header says; checked with the signature. */
  readonly alg: string
  readonly iss: string
  readonly sub: PersonId
  readonly aud: string
  /** The agent that receives this token. */
  readonly clientId: AgentId
  /** RFC 7638 thumbprint of that agent's key. */
  readonly jkt: Digest
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly purpose: string
  /** As stated; it is right when it is the token's place in the chain. */
  readonly depth: number
  readonly scopes: readonly string[]
  /** What it states itself; what it does not state is inherited. */
  readonly constraints: readonly Constraint[]
}

/** DT_0, signed by the broker. */
export interface RootToken extends Token {
  readonly kind: 'root'
  readonly kid: string
  readonly consentId: ConsentId
  readonly instanceId: InstanceId
  /** How many tokens its chains may have: 2 to 8. */
  readonly delMaxDepth: number
  readonly nbf: null
}

/** DT_1 and on, signed by the holder of the token before. */
export interface HopToken extends Token {
  readonly kind: 'hop'
  /** The signer's public key: the members that make it, and no other. */
  readonly jwk: JsonObject
  readonly signerJkt: Digest
  readonly parHash: Digest
  readonly nbf: number | null
  /** `null`: inherited. */
  readonly delMaxDepth: number | null
}

export type ChainToken = RootToken | HopToken
/** Root first, leaf last. */
export type Tokens = readonly [RootToken, ...HopToken[]]
