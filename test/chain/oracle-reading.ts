/** What the oracle makes of one token by itself: its spelling, its members, its shapes. */
import type { Draft, Members } from './making.ts'
import { areScopes, type Bound, faultOf, typeOf } from './oracle-values.ts'

/** How the bytes of a part were written. */
export type Spelling = 'canonical' | 'other' | 'twice' | 'infinite' | 'unsafe' | 'no json'
export interface Written {
  readonly draft: Draft
  readonly compact: string
  readonly header: Spelling
  readonly claims: Spelling
  readonly isSigned: boolean
}

/** Why a token cannot be read, if it cannot. */
export function unreadable({ draft, compact, ...spelt }: Written, isHop: boolean): string | null {
  if (compact.length > 8192) return 'malformed'
  for (const [part, how] of [
    [draft.header, spelt.header],
    [draft.claims, spelt.claims],
  ] as const) {
    // A reader stops at the first fault: these stand at the beginning of the text, and no end at its end.
    if (how === 'unsafe') return 'malformed'
    if (how === 'twice') return 'duplicate_member'
    if (how === 'infinite') return 'non_finite'
    if (how === 'no json' || !isWithinLimits(part)) return 'malformed'
  }
  if (!isHeader(draft.header, isHop) || !areClaims(draft.claims, isHop)) return 'malformed'
  if (spelt.header === 'other' || spelt.claims === 'other') return 'non_canonical'
  const { scopes, constraints } = detailOf(draft.claims)
  if (!areScopes(scopes)) return 'malformed'
  if (!Array.isArray(constraints) || constraints.length > 64) return 'malformed'
  const seen: string[] = []
  for (const bound of constraints) {
    const name = () => `${bound.key},${typeOf(bound)}`
    const fault = faultOf(bound) ?? (seen.includes(name()) ? 'malformed' : null)
    if (fault) return fault
    seen.push(name())
  }
  return null
}

/** No string beyond 1,024 bytes, no integer beyond 2^53 - 1, no name that begins with `__`. */
function isWithinLimits(value: unknown): boolean {
  if (typeof value === 'string') return Buffer.byteLength(value) <= 1024
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value)
  if (typeof value !== 'object' || value === null) return true
  const names = Object.keys(value).every((it) => !it.startsWith('__') && isWithinLimits(it))
  return names && Object.values(value).every(isWithinLimits)
}

const isText = (it: unknown) => typeof it === 'string' && it.length > 0
const isHash = (it: unknown) => typeof it === 'string' && is32(it)
const is32 = (it: string) => {
  const octets = Buffer.from(it, 'base64url')
  return octets.length === 32 && octets.toString('base64url') === it
}
const isId = (kind: string) => (it: unknown) =>
  typeof it === 'string' && it.startsWith(`${kind}_`) && CODE.test(it.slice(4))
const CODE = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/
const isCount = (it: unknown) => Number.isSafeInteger(it) && Number(it) >= 0
const isKind = (it: unknown, names: string[]) =>
  typeof it === 'object' &&
  it !== null &&
  !Array.isArray(it) &&
  Object.keys(it).sort().join() === names.sort().join()

function isHeader(header: Members, isHop: boolean): boolean {
  const { alg, typ, kid, jwk, c14n = 'JCS' } = header
  if (!isText(alg) || typ !== 'at+jwt') return false
  if (!isHop) return isText(kid) && isKind(header, ['alg', 'kid', 'typ'])
  const names = ['alg', 'jwk', 'typ', ...('c14n' in header ? ['c14n'] : [])]
  return c14n === 'JCS' && isKind(header, names) && isKey(jwk)
}

function isKey(jwk: unknown): boolean {
  const { kty, crv, x, y } = (jwk ?? {}) as Members
  if (kty === 'EC')
    return crv === 'P-256' && isHash(x) && isHash(y) && isKind(jwk, ['crv', 'kty', 'x', 'y'])
  return kty === 'OKP' && crv === 'Ed25519' && isHash(x) && isKind(jwk, ['crv', 'kty', 'x'])
}

function areClaims(claims: Members, isHop: boolean): boolean {
  const rules: Record<string, (it: unknown) => boolean> = {
    ...{ iss: isText, aud: isText, sub: isId('spn'), client_id: isId('agt') },
    ...{ cnf: (it) => isKind(it, ['jkt']) && isHash((it as Members)['jkt']) },
    ...{ iat: isCount, exp: isCount, del_depth: isCount },
    jti: (it) => typeof it === 'string' && /^[\w-]{16,64}$/.test(it),
    purpose: (it) =>
      typeof it === 'string' &&
      it.length <= 64 &&
      it.split('.').every((w) => /^[a-z][a-z0-9_]*$/.test(w)),
    authorization_details: isDetail,
    ...(isHop
      ? { par_hash: isHash }
      : { consent_id: isId('con'), instance_id: isId('ins'), del_max_depth: isLength }),
  }
  const optional = isHop ? { nbf: isCount, del_max_depth: isCount } : {}
  for (const [name, rule] of Object.entries(optional)) if (name in claims) rules[name] = rule
  return (
    isKind(claims, Object.keys(rules)) &&
    Object.entries(rules).every(([name, rule]) => rule(claims[name]))
  )
}

const isLength = (it: unknown) => typeof it === 'number' && [2, 3, 4, 5, 6, 7, 8].includes(it)
function isDetail(it: unknown): boolean {
  const [detail, ...others] = Array.isArray(it) ? (it as unknown[]) : []
  const isOne = others.length === 0 && isKind(detail, ['constraints', 'scopes', 'type'])
  return isOne && (detail as Members)['type'] === 'agent_delegation'
}

export function detailOf(claims: Members) {
  const [detail] = claims['authorization_details'] as [Members]
  return detail as { scopes: string[]; constraints: Bound[] }
}
