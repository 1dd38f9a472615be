/** From what travels to tokens: limits, strict JSON, closed members, the one canonical spelling. */
import { type Digest, sha256 } from '../domain/digest.ts'
import { readConstraints, readScopes, type Reading } from '../domain/constraint-reading.ts'
import { canonical, JsonError, type JsonObject, readJson } from '../domain/json.ts'
import { JwsError, octetsOf } from '../domain/jws.ts'
import { claimsOf, digest, headerOf, rootClaimsOf, Unreadable } from './members.ts'
import { refusal, type Refusal } from './outcome.ts'
import type { ChainToken, HopToken, RootToken, Tokens } from './token.ts'

export const TOKENS_MAX = 8
export const TOKEN_BYTES_MAX = 8 * 1024
export const CHAIN_BYTES_MAX = 64 * 1024
const STRING_BYTES_MAX = 1024

type Parts = { readonly ok: true; readonly tokens: readonly string[] } | Refusal

/** Takes a chain apart as it travels: compact tokens joined by `~`, root first, leaf last. */
export function partsOf(chain: string): Parts {
  if (chain.length > CHAIN_BYTES_MAX) return tooLarge('more than 64 KiB')
  const tokens = chain.split('~', TOKENS_MAX + 1)
  if (tokens.length > TOKENS_MAX) return tooLarge('more than 8 tokens')
  return { ok: true, tokens }
}

/** The `par_hash` by which the first of these names a parent that was left out; `null` for a root. */
export function parentNeeded(
  tokens: readonly string[],
): { readonly ok: true; readonly parHash: Digest | null } | Refusal {
  const [first = ''] = tokens
  const read = tokenAt(first, 0, 0)
  if (!read.ok) return read
  return { ok: true, parHash: read.token.kind === 'hop' ? read.token.parHash : null }
}

/** Reads every token, in order, up to the first that cannot be. No signature is looked at. */
export function readChain(
  given: readonly string[],
  ancestors: readonly string[] = [],
): { readonly ok: true; readonly tokens: Tokens } | Refusal {
  const large = limitsOf(given)
  if (large) return large
  const read: ChainToken[] = []
  let offset = 0
  for (const [at, compact] of [...ancestors, ...given].entries()) {
    const next = tokenAt(compact, at, offset + at)
    if (!next.ok) return next
    // Without its ancestors, a chain is numbered from what its first token says of itself.
    if (at === 0 && next.token.kind === 'hop') offset = next.token.depth
    read.push(next.token)
  }
  const [root, ...hops] = read
  if (root?.kind !== 'root') {
    return refusal('parent_unknown', root?.depth ?? 0, 'The parent of the first token is not known')
  }
  return { ok: true, tokens: [root, ...hops.filter((token) => token.kind === 'hop')] }
}

function limitsOf(given: readonly string[]): Refusal | null {
  if (given.length === 0) return refusal('malformed', null, 'There is no token')
  if (given.length > TOKENS_MAX) return tooLarge('more than 8 tokens')
  const bytes = given.reduce((sum, token) => sum + token.length + 1, -1)
  return bytes > CHAIN_BYTES_MAX ? tooLarge('more than 64 KiB') : null
}

const tooLarge = (what: string) =>
  refusal('malformed', null, `The chain is too large: ${what}`, { isTooLarge: true })

type OneRead = { readonly ok: true; readonly token: ChainToken } | Refusal

/** Only the first may be a root; whether it is one, it says by naming no parent. */
function tokenAt(compact: string, at: number, hop: number): OneRead {
  try {
    return { ok: true, token: tokenOf(compact, at === 0) }
  } catch (error) {
    if (error instanceof Unreadable) return refusal(error.outcome, hop, error.message)
    if (error instanceof JsonError) return refusal(outcomeOf(error), hop, error.message)
    if (error instanceof JwsError) return refusal('malformed', hop, 'Not three parts of base64url')
    throw error
  }
}

function outcomeOf({ code, isNonFinite }: JsonError) {
  if (code === 'duplicate_key') return 'duplicate_member'
  return isNonFinite ? 'non_finite' : 'malformed'
}

function tokenOf(compact: string, isFirst: boolean): RootToken | HopToken {
  if (compact.length > TOKEN_BYTES_MAX) throw new Unreadable('malformed', 'More than 8 KiB')
  const [head, body, tail, ...more] = compact.split('.', 4)
  if (head === undefined || body === undefined || tail === undefined || more.length > 0) {
    throw new Unreadable('malformed', 'Not three parts')
  }
  const octets = [octetsOf(head, 'format'), octetsOf(body, 'format')] as const
  const signature = octetsOf(tail, 'format')
  const [header, claims] = [objectIn(octets[0]), objectIn(octets[1])]
  const kind = isFirst && !Object.hasOwn(claims, 'par_hash') ? 'root' : 'hop'
  const { alg, kid, key } = headerOf(kind, header)
  const stated = claimsOf(kind, claims)
  const own = kind === 'root' ? rootClaimsOf(claims) : { parHash: digest(claims, 'par_hash') }
  if (!isCanonical(header, octets[0]) || !isCanonical(claims, octets[1])) {
    throw new Unreadable('non_canonical', 'The bytes are not the RFC 8785 form of what they say')
  }
  const input = `${head}.${body}`
  const common = {
    ...{ ...stated, compact, input, signature, alg, tokenHash: sha256(input) },
    scopes: shape(readScopes(stated.scopes)),
    constraints: shape(readConstraints(stated.constraints)),
  }
  if ('parHash' in own) {
    if (key === null) throw new Unreadable('malformed', 'There is no key')
    return { kind: 'hop', ...common, ...own, jwk: key.jwk, signerJkt: key.jkt }
  }
  return { kind: 'root', ...common, ...own, kid, nbf: null }
}

const objectIn = (octets: Uint8Array) => readJson(octets, { stringBytes: STRING_BYTES_MAX })

const isCanonical = (value: JsonObject, octets: Buffer) =>
  Buffer.from(canonical(value)).equals(octets)

function shape<T>(read: Reading<T>): T {
  if (read.ok) return read.value
  const outcome = read.rule === 'unknown_constraint' ? 'unknown_constraint' : 'malformed'
  throw new Unreadable(outcome, `At ${read.pointer || '/'}: ${read.rule}`)
}
