/** The steps of a verification, each over the whole chain. The order is that of verify.ts. */
import { type ChainAuthority, narrow } from '../domain/authority.ts'
import { sameDigest } from '../domain/digest.ts'
import { isSignedBy, keyOf, type RootKeys } from './keys.ts'
import { refusal, type Refusal } from './outcome.ts'
import type { ChainToken, HopToken, RootToken, Tokens } from './token.ts'
import type { Standing, VerifiedHop, Verifying } from './verified.ts'

/** 1. The root under one of our root keys, each hop under the key of the token before. */
export function signatures(tokens: Tokens, { issuer, rootKeys }: Verifying): Refusal | null {
  const hop = tokens.findIndex((token, at) =>
    token.kind === 'root'
      ? !isOurs(token, issuer, rootKeys)
      : !isSignedByHolder(token, tokens[at - 1]),
  )
  return hop < 0 ? null : refusal('signature_invalid', hop, 'It is not signed by whom it must be')
}

function isOurs(root: RootToken, issuer: string, rootKeys: RootKeys): boolean {
  const key = rootKeys.get(root.kid)
  return root.iss === `${issuer}/roots` && key !== undefined && isSignedBy(key, root)
}

const THUMBPRINT = 'urn:ietf:params:oauth:jwk-thumbprint:sha-256:'

function isSignedByHolder(hop: HopToken, parent: ChainToken | undefined): boolean {
  const isHolder = parent !== undefined && sameDigest(hop.signerJkt, parent.jkt)
  if (!isHolder || hop.iss !== THUMBPRINT + hop.signerJkt) return false
  const key = keyOf(hop)
  return key !== null && isSignedBy(key, hop)
}

/** 2. Each hop names the exact bytes it rests on. */
export function parents([root, ...hops]: Tokens): Refusal | null {
  let above: ChainToken = root
  for (const [at, hop] of hops.entries()) {
    if (!sameDigest(hop.parHash, above.tokenHash)) {
      return refusal('par_hash_mismatch', at + 1, 'It rests on another token than its parent')
    }
    above = hop
  }
  return null
}

/** 3. Each token at its place, no more of them than any of them allows. */
export function depths(tokens: Tokens): Refusal | null {
  const misplaced = tokens.findIndex(({ depth }, at) => depth !== at)
  if (misplaced >= 0) {
    return refusal('depth_invalid', misplaced, 'Its del_depth is not its place in the chain')
  }
  let allowed = tokens[0].delMaxDepth
  for (const [at, { delMaxDepth }] of tokens.entries()) {
    allowed = Math.min(allowed, delMaxDepth ?? allowed)
    if (at >= allowed) return refusal('depth_invalid', at, 'The chain may not be that long')
  }
  return null
}

/** 3. One human, from end to end. */
export function principals(tokens: Tokens): Refusal | null {
  const hop = tokens.findIndex(({ sub }) => sub !== tokens[0].sub)
  return hop < 0 ? null : refusal('principal_altered', hop, 'Its sub is not that of the root')
}

/** 3. No key twice: nobody delegates to itself, nor back. */
export function holders(tokens: Tokens): Refusal | null {
  const keys = tokens.map(({ jkt }) => jkt)
  const hop = keys.findIndex((jkt, at) => keys.indexOf(jkt) < at)
  return hop < 0 ? null : refusal('holder_repeated', hop, 'Its key is that of a token above it')
}

type Narrowing =
  { readonly ok: true; readonly hops: readonly [VerifiedHop, ...VerifiedHop[]] } | Refusal

/** 4. What is left at each token: never more than above it. */
export function authorities([root, ...hops]: Tokens, repeat: boolean): Narrowing {
  const { scopes, purpose, constraints, delMaxDepth } = root
  let above = verified(root, null, { scopes, purpose, constraints, delMaxDepth })
  const done: [VerifiedHop, ...VerifiedHop[]] = [above]
  for (const [at, hop] of hops.entries()) {
    const delMaxDepth = hop.delMaxDepth ?? undefined
    const narrowed = narrow(above.effective, { ...hop, delMaxDepth }, { repeat })
    if (!narrowed.ok) {
      const { field } = narrowed
      return refusal('not_narrower', at + 1, 'It is wider than what it rests on', { field })
    }
    above = verified(hop, above.nbf, narrowed.authority)
    done.push(above)
  }
  return { ok: true, hops: done }
}

function verified(token: ChainToken, nbf: number | null, effective: ChainAuthority): VerifiedHop {
  const { depth, clientId, jkt, tokenHash, purpose, exp } = token
  const own = { depth, clientId, jkt, tokenHash, purpose, exp, nbf: token.nbf ?? nbf }
  return { token, ...own, effective }
}

/** 4. Every purpose is one of the vocabulary. */
export function purposes(tokens: Tokens, known: Verifying['purposes']): Refusal | null {
  const hop = known ? tokens.findIndex(({ purpose }) => !known.has(purpose)) : -1
  const field = 'purpose'
  return hop < 0 ? null : refusal('unknown_purpose', hop, 'There is no such purpose', { field })
}

/** 4. Nobody is handed anything whom the consent does not admit. The root's agent has the consent. */
export function delegates(tokens: Tokens, admitted: Verifying['delegates']): Refusal | null {
  const isStranger = ({ kind, clientId }: ChainToken) => kind === 'hop' && !admitted?.has(clientId)
  const hop = admitted ? tokens.findIndex(isStranger) : -1
  const field = 'client_id'
  const detail = 'The consent does not admit this agent'
  return hop < 0 ? null : refusal('delegate_not_allowed', hop, detail, { field })
}

/** 5. Every token is in its time, and no time is longer than the one above. */
export function times(hops: readonly VerifiedHop[], now: Date): Refusal | null {
  const seconds = now.getTime() / 1000
  for (const [at, { nbf, exp }] of hops.entries()) {
    if (nbf !== null && nbf > seconds) return untimely(at, 'nbf', 'It is not yet in force')
    // Written so that a time that is no number is over.
    if (!(seconds < exp)) return untimely(at, 'exp', 'It is over')
  }
  for (const [at, { token, exp }] of hops.entries()) {
    const above = hops[at - 1]
    if (!above) continue
    if (exp > above.exp) return untimely(at, 'exp', 'It ends after its parent')
    if (token.nbf !== null && token.nbf < (above.nbf ?? 0)) {
      return untimely(at, 'nbf', 'It begins before its parent')
    }
  }
  return null
}

const untimely = (hop: number, field: string, detail: string) =>
  refusal('expired', hop, detail, { field })

/** 6. Whoever shows it is the leaf's agent, and holds the leaf's key. */
export function presenter(tokens: Tokens, shown: Verifying['presenter']): Refusal | null {
  const leaf = tokens.at(-1) ?? tokens[0]
  if (!shown || (shown.clientId === leaf.clientId && sameDigest(shown.jkt, leaf.jkt))) return null
  const detail = 'Who presents it is not whom its leaf names'
  return refusal('holder_binding_failed', tokens.length - 1, detail)
}

/** 7. Nothing in it was stopped; a state that could not be read is no good state. */
export function standings(tokens: Tokens, standing: Verifying['standing']): Refusal | null {
  if (!standing) return null
  for (const token of [null, ...tokens]) {
    const state: Standing = standing(token)
    if (state === 'good') continue
    const hop = token && tokens.findIndex((other) => other === token)
    if (state === 'revoked') return refusal('revoked', hop, 'It was revoked')
    return refusal('status_unknown', hop, 'Whether it was revoked cannot be read')
  }
  return null
}

/** 8, as far as the tokens alone can tell: all of them are for this broker. */
export function audiences(tokens: Tokens, issuer: string): Refusal | null {
  const hop = tokens.findIndex(({ aud }) => aud !== issuer)
  const field = 'aud'
  return hop < 0 ? null : refusal('audience_mismatch', hop, 'It is for another broker', { field })
}
