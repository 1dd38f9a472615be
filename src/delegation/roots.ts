/** The first token of a chain: what a consent that allows hops gives an instance to hand on. */
import { randomUUID } from 'node:crypto'
import { type Account, ofSubtree, tighterTotals } from '../domain/accounts.ts'
import type { Authority } from '../domain/authority.ts'
import { authorityOf, type Consent } from '../domain/consent.ts'
import type { Constraint } from '../domain/constraint.ts'
import { sha256 } from '../domain/digest.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import { type AgentId, type InstanceId, newId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { type Signer, signToken } from '../domain/jws.ts'
import type { Act } from '../domain/request.ts'
import { Secret } from '../domain/secret.ts'
import type { Tx } from '../domain/tx.ts'
import { refuseFrozen } from './frozen.ts'
import { keepToken, type TokensOptions } from './tokens.ts'

export interface RootsOptions extends TokensOptions {
  readonly signer: Signer
  /** The longest that a root lives. */
  readonly secondsMax: number
  readonly openAccounts: (tx: Tx, account: string, bounds: readonly Constraint[]) => Promise<void>
}

/** Whose root, and how much of the consent. */
export interface RootWanted {
  readonly agent: AgentId
  readonly instance: InstanceId
  readonly jkt: string
  readonly consent: Consent
  readonly authority: Authority
}

export interface Root {
  readonly token: Secret
  readonly expiresInSeconds: number
  readonly entry: LedgerEntry
}

/**
 * Signs a root and keeps it, in the transaction that puts it on record: a hop may then name it without
 * showing it. Every call gives another one; they share the consent's account.
 */
export async function openRoot(
  options: RootsOptions,
  tx: Tx,
  wanted: RootWanted,
  act: Act,
): Promise<Root> {
  const { tenant, signer, secondsMax, openAccounts } = options
  const { agent, instance, jkt, consent, authority } = wanted
  await refuseFrozen(tx, tenant, { sponsor: consent.sponsor, agents: [agent] })
  const iat = Math.floor(tx.now.getTime() / 1000)
  const exp = Math.min(iat + secondsMax, Math.floor(consent.terms.expiresAt.getTime() / 1000))
  const jti = randomUUID()
  const token = await signToken('root', claimsOf(wanted, { jti, iat, exp }), signer)
  const tokenHash = sha256(token.slice(0, token.lastIndexOf('.')))
  const expiresAt = new Date(exp * 1000)
  const eventId = newId('evt', tx.now)
  await tx.query({
    name: 'root_insert',
    text: `insert into procura.root (tenant, token_hash, jti, consent, sponsor, agent, instance, jkt,
             issued_at, expires_at, event_id)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    values: [
      ...[tenant, tokenHash, jti, consent.id, consent.sponsor, agent, instance, jkt],
      ...[tx.now, expiresAt, eventId],
    ],
  })
  await keepToken(options, tx, { hash: tokenHash, token })
  const account = rootAccount(jti, authority, consent)
  if (account !== null) await openAccounts(tx, account.id, account.bounds)
  const hop = {
    ...{ depth: 0, agent, instance, jkt, tokenHash, delegation: null },
    ...{ purpose: authority.purpose, expiresAt, model: null },
  }
  const effective = { ...authority, delMaxDepth: consent.terms.maxHops + 1 }
  const path = { hops: [hop] as const, effective }
  const of = { sponsor: consent.sponsor, consent: consent.id, path }
  return {
    token: new Secret(token),
    expiresInSeconds: exp - iat,
    entry: { type: 'root_issued', act, eventId, ...of },
  }
}

/** A root that repeats the consent's totals refers to what is left of them, and keeps none of its own. */
export function rootAccount(
  jti: string,
  authority: Authority,
  { terms }: Pick<Consent, 'terms'>,
): Account | null {
  const bounds = ofSubtree(tighterTotals(authority, authorityOf(terms)))
  return bounds.length > 0 ? { id: jti, bounds } : null
}

function claimsOf(
  { agent, instance, jkt, consent, authority }: RootWanted,
  times: { readonly jti: string; readonly iat: number; readonly exp: number },
): JsonObject {
  const { scopes, purpose, constraints } = authority
  const bounds = constraints.map((bound) => ({ ...bound })) as JsonObject[]
  return {
    ...{ ...times, sub: consent.sponsor, client_id: agent, cnf: { jkt } },
    ...{ consent_id: consent.id, instance_id: instance, purpose },
    ...{ del_depth: 0, del_max_depth: consent.terms.maxHops + 1 },
    authorization_details: [{ type: 'agent_delegation', scopes: [...scopes], constraints: bounds }],
  }
}
