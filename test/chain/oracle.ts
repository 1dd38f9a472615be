/**
 * A second opinion on chains, written from docs/chain.md alone. It shares no code with src/, reads no
 * bytes (it is told how each token was spelt and signed), and compares nothing that it can try out.
 */
import { hashOf, type HolderKey, type Members, thumbprint } from './making.ts'
import { detailOf, unreadable, type Written } from './oracle-reading.ts'
import { type Bound, isCovered, isInside, isTighter, standsFor, typeOf } from './oracle-values.ts'

export interface World {
  readonly issuer: string
  readonly roots: Readonly<Record<string, HolderKey>>
  readonly now: number
  readonly purposes: readonly string[] | null
  readonly delegates: readonly string[] | null
  readonly presenter: { readonly clientId: string; readonly jkt: string } | null
  readonly states: readonly { readonly hop: number | null; readonly state: 'revoked' | 'unknown' }[]
  readonly repeat: boolean
}

export interface Verdict {
  readonly outcome: string
  readonly hop: number | null
  readonly field?: string
}
type Found = Verdict | null | undefined

/** `known` of the tokens, root first, were not presented. */
export function judge(tokens: readonly Written[], known: number, world: World): Verdict {
  const presented = tokens.slice(known)
  if (presented.length === 0) return { outcome: 'malformed', hop: null }
  const size = presented.map(({ compact }) => compact).join('~').length
  if (presented.length > 8 || size > 65_536) return { outcome: 'malformed', hop: null }
  const steps = [parsing, signing, resting, counting, human, holding, narrowing, meaning, admitting]
  const later = [timing, growing, presenting, standing, hearing]
  for (const step of [...steps, ...later]) {
    const found = step(tokens, world)
    if (found) return found
  }
  return { outcome: 'valid', hop: null }
}

/** The verdict on the first token that a rule speaks of. */
function first(
  tokens: readonly Written[],
  outcome: string,
  isBad: (claims: Members, at: number, token: Written) => boolean,
  field?: string,
): Found {
  const hop = tokens.findIndex((token, at) => isBad(token.draft.claims, at, token))
  return hop < 0 ? null : { outcome, hop, ...(field === undefined ? {} : { field }) }
}

function parsing(tokens: readonly Written[]): Found {
  const start = tokens[0]?.draft.claims
  // Nothing above the first is known: it says itself where it stands, once it can be read.
  const isHop = start !== undefined && Object.hasOwn(start, 'par_hash')
  const offset = isHop && typeof start['del_depth'] === 'number' ? start['del_depth'] : 0
  for (const [at, token] of tokens.entries()) {
    const outcome = unreadable(token, at > 0 || isHop)
    if (outcome) return { outcome, hop: at === 0 ? 0 : offset + at }
  }
  return isHop ? { outcome: 'parent_unknown', hop: offset } : null
}

const jktOf = (claims: Members) => (claims['cnf'] as Members)['jkt'] as string
const claimsAt = (tokens: readonly Written[], at: number) => tokens[at]?.draft.claims ?? {}

function signing(tokens: readonly Written[], { issuer, roots }: World): Found {
  return first(tokens, 'signature_invalid', ({ iss }, at, { draft, isSigned }) => {
    const { header, key } = draft
    if (at === 0) {
      const root = roots[String(header['kid'])]
      const isOurs = root !== undefined && root.jkt === key.jkt && header['alg'] === root.alg
      return !(isOurs && isSigned && iss === `${issuer}/roots`)
    }
    const jwk = header['jwk'] as Record<string, string>
    const jkt = thumbprint(jwk)
    const isHeld = jkt === jktOf(claimsAt(tokens, at - 1))
    const alg = jwk['kty'] === 'EC' ? 'ES256' : 'Ed25519'
    const isNamed = iss === `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${jkt}`
    return !(isHeld && isNamed && isSigned && key.jkt === jkt && header['alg'] === alg)
  })
}

const resting = (tokens: readonly Written[]) =>
  first(tokens, 'par_hash_mismatch', ({ par_hash: named }, at) => {
    return at > 0 && named !== hashOf(tokens[at - 1]?.compact ?? '')
  })

const counting = (tokens: readonly Written[]) => {
  const limits = tokens.map(
    ({ draft }) => (draft.claims['del_max_depth'] as number | undefined) ?? 99,
  )
  return (
    first(tokens, 'depth_invalid', ({ del_depth: depth }, at) => depth !== at) ??
    first(tokens, 'depth_invalid', (_claims, at) => limits.slice(0, at + 1).some((it) => at >= it))
  )
}

const human = (tokens: readonly Written[]) =>
  first(tokens, 'principal_altered', ({ sub }) => sub !== claimsAt(tokens, 0)['sub'])
const holding = (tokens: readonly Written[]) =>
  first(tokens, 'holder_repeated', (claims, at) => {
    return tokens.slice(0, at).some(({ draft }) => jktOf(draft.claims) === jktOf(claims))
  })

/** Each against every one above it, and not only against what is left of them. */
function narrowing(tokens: readonly Written[], { repeat }: World): Found {
  const all = tokens.map(({ draft }) => draft.claims)
  for (const [hop, claims] of all.entries()) {
    const above = all.slice(0, hop)
    const field = above.length > 0 ? widest(claims, above, repeat) : null
    if (field) return { outcome: 'not_narrower', hop, field }
  }
  return null
}

function widest(claims: Members, above: readonly Members[], repeat: boolean): string | null {
  const parent = above.at(-1) ?? {}
  const limits = above.map((it) => it['del_max_depth']).filter((it) => it !== undefined) as number[]
  const limit = claims['del_max_depth'] as number | undefined
  if (limit !== undefined && limits.some((it) => limit > it)) return 'del_max_depth'
  const { scopes, constraints } = detailOf(claims)
  const held = detailOf(parent).scopes
  const added = scopes.findIndex((scope) => !held.some((it) => isCovered(scope, it)))
  if (added >= 0) return `scopes[${String(added)}]`
  if (!`${String(claims['purpose'])}.`.startsWith(`${String(parent['purpose'])}.`)) return 'purpose'
  const name = (bound: Bound) => `${bound.key},${typeOf(bound)}`
  const bounds = above.flatMap((it) => detailOf(it).constraints)
  const looser = constraints.find((bound) =>
    bounds.some((it) => name(it) === name(bound) && !isTighter(bound, it)),
  )
  if (looser) return `constraints[${name(looser)}]`
  const left = bounds.find((it) => !constraints.some((bound) => name(bound) === name(it)))
  return repeat && left ? `constraints[${name(left)}]` : null
}

const meaning = (tokens: readonly Written[], { purposes }: World) =>
  first(
    tokens,
    'unknown_purpose',
    ({ purpose }) => purposes?.includes(String(purpose)) === false,
    'purpose',
  )
const admitting = (tokens: readonly Written[], { delegates }: World) =>
  first(
    tokens,
    'delegate_not_allowed',
    ({ client_id: agent }, at) => at > 0 && delegates?.includes(String(agent)) === false,
    'client_id',
  )

function timing(tokens: readonly Written[], { now }: World): Found {
  for (const [hop, { draft }] of tokens.entries()) {
    const begins = tokens.slice(0, hop + 1).map((it) => Number(it.draft.claims['nbf'] ?? 0))
    if (begins.some((nbf) => now < nbf)) return { outcome: 'expired', hop, field: 'nbf' }
    if (now >= Number(draft.claims['exp'])) return { outcome: 'expired', hop, field: 'exp' }
  }
  return null
}

function growing(tokens: readonly Written[]): Found {
  for (const [hop, { draft }] of tokens.entries()) {
    const above = tokens.slice(0, hop).map((it) => it.draft.claims)
    const { exp, nbf } = draft.claims as { exp: number; nbf?: number }
    if (above.some((it) => exp > Number(it['exp'])))
      return { outcome: 'expired', hop, field: 'exp' }
    const isEarly = above.some((it) => nbf !== undefined && nbf < Number(it['nbf'] ?? 0))
    if (isEarly) return { outcome: 'expired', hop, field: 'nbf' }
  }
  return null
}

function presenting(tokens: readonly Written[], { presenter }: World): Found {
  const leaf = claimsAt(tokens, tokens.length - 1)
  const isHolder = presenter?.jkt === jktOf(leaf) && presenter.clientId === leaf['client_id']
  return presenter && !isHolder
    ? { outcome: 'holder_binding_failed', hop: tokens.length - 1 }
    : null
}

function standing(tokens: readonly Written[], { states }: World): Found {
  const places = [null, ...tokens.keys()]
  const hit = states
    .filter(({ hop }) => places.includes(hop))
    .sort((one, other) => (one.hop ?? -1) - (other.hop ?? -1))[0]
  return hit && { outcome: hit.state === 'revoked' ? 'revoked' : 'status_unknown', hop: hit.hop }
}

const hearing = (tokens: readonly Written[], { issuer }: World) =>
  first(tokens, 'audience_mismatch', ({ aud }) => aud !== issuer, 'aud')

/** Whether every token, by itself, lets this one call be. */
export function allows(
  tokens: readonly Written[],
  { tool, purpose, value }: { tool: string; purpose: string; value: unknown },
): boolean {
  return tokens.every(({ draft: { claims } }) => {
    const { scopes, constraints } = detailOf(claims)
    if (!scopes.some((it) => standsFor(it, tool))) return false
    if (!`${purpose}.`.startsWith(`${String(claims['purpose'])}.`)) return false
    return constraints.every((bound) => {
      const [path, scope] = bound.key.split('#').reverse()
      if (path === 'ttl_seconds' || (scope !== undefined && !standsFor(scope, tool))) return true
      const asked = path === 'calls' ? 1 : path === 'args.a' ? value : undefined
      const total = 'max_lifetime' in bound || 'max_subtree' in bound
      return total
        ? typeof asked === 'number' && Number.isInteger(asked) && asked >= 0
        : isInside(bound, asked)
    })
  })
}
