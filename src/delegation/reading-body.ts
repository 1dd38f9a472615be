/** A chain's names on the wire. */
import type { ChainAuthority } from '../domain/authority.ts'
import { authorityHash } from '../domain/authority-hash.ts'
import { authorityOf, type Consent } from '../domain/consent.ts'
import { type Dropped, droppedBetween } from '../domain/dropped.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import type { Verification } from './reading-checks.ts'
import type { Found } from './reading-found.ts'
import type { HopRow, RootRow } from './reading-rows.ts'

export function bodyOf(found: Found): JsonObject {
  const { id, place, given, approvals, below } = found
  return {
    id,
    sponsor: { id: given.consent.sponsor, identity: identityOf(found) },
    consent: consentBody(found),
    hops: hopsBody(found),
    approvals: approvals.map(({ id: approval, status, approver, decided_at: at }) => ({
      ...{ id: approval, status, approver_id: approver, decided_at: at?.toISOString() ?? null },
    })),
    decision_id: place.decision,
    credential_id: place.credential,
    ...(below && {
      below: below.hops.map((hop) => hopBody(found, hop)),
      below_is_all: below.isAll,
    }),
    verification: {
      ...verificationBody(found.now, 'verified_at'),
      consent: found.evidence,
      ...(found.then && { when_decided: verificationBody(found.then, 'at') }),
    },
    ...(found.tokens && { tokens: tokensBody(found) }),
  }
}

/** What the consent allows, as a root that was not narrowed has it. */
function grantedBy({ terms }: Consent): ChainAuthority {
  return { ...authorityOf(terms), delMaxDepth: terms.maxHops + 1 }
}

/** From the record of the consent; `null` once it was erased. */
function identityOf({ granted }: Found): Json {
  const person = granted?.opened?.['person']
  if (!isObject(person)) return null
  return { iss: person['iss'] ?? null, sub: person['sub'] ?? null }
}

function consentBody(found: Found): JsonObject {
  const { given, granted, done, names } = found
  const { consent, consentJwt, eventId } = given
  const { id, status, terms, termsHash, uses } = consent
  return {
    ...{ id, status, purpose: terms.purpose, tools: [...terms.tools], terms_hash: termsHash },
    ...{ method: 'session', consent_jwt: consentJwt, max_uses: terms.maxUses, uses },
    ...{ expires_at: terms.expiresAt.toISOString(), event_id: eventId },
    ...{ index: granted?.index ?? null, agent_id: terms.agent },
    ...{ agent_name: names.names.get(terms.agent) ?? null, max_hops: terms.maxHops },
    effective: authorityBody(grantedBy(consent)),
    ...{ budgets: budgetsOf(found, id), done: { ...done(id) } },
  }
}

function hopsBody(found: Found): JsonObject[] {
  const { root, hops, place } = found
  if (root !== null) return [rootBody(found, root), ...hops.map((hop) => hopBody(found, hop))]
  return place.decision === null ? [] : [sessionBody(found)]
}

function rootBody(found: Found, root: RootRow): JsonObject {
  const { given, left } = found
  const effective = left.get(root.token_hash)
  return {
    ...{ depth: 0, kind: 'root', ...whoBody(found, root), instance_id: root.instance },
    ...{ jkt: root.jkt, purpose: effective?.purpose ?? given.consent.terms.purpose },
    ...placedBody(root),
    ...authorityAfter(grantedBy(given.consent), effective),
    budgets: budgetsOf(found, root.jti),
  }
}

function hopBody(found: Found, hop: HopRow): JsonObject {
  const { left, names, done } = found
  return {
    ...{ depth: hop.depth, kind: 'delegation', delegation_id: hop.id },
    ...{ parent_id: hop.path.at(-2) ?? null, signed_by: hop.signed_by, ...whoBody(found, hop) },
    ...{ instance_id: names.instances.get(hop.jkt) ?? null, jkt: hop.jkt, purpose: hop.purpose },
    ...placedBody(hop),
    ...authorityAfter(left.get(hop.parent), hop.effective),
    ...{ budgets: budgetsOf(found, hop.id), done: { ...done(hop.id) } },
  }
}

/** The consenting agent itself, as the decision has it: a session is no token of a chain. */
function sessionBody(found: Found): JsonObject {
  const { given, decided, now } = found
  const { terms } = given.consent
  const chain = decided?.record['chain']
  const { hops = [], authority_hash: hash } = isObject(chain) ? chain : {}
  const [hop] = Array.isArray(hops) ? hops : []
  const { instance_id: instance = null, jkt = null, purpose, exp } = isObject(hop) ? hop : {}
  const expiresAt = new Date(Number(exp) * 1000)
  const isOver = now.outcome === 'valid' && expiresAt <= now.at
  // The record has no more than the hash of what a narrowed session was left with.
  const isWhole = hash === authorityHash(authorityOf(terms))
  return {
    ...{ depth: 0, kind: 'session', ...whoBody(found, { agent: terms.agent }) },
    ...{ instance_id: instance, jkt, purpose: purpose ?? terms.purpose, token_hash: null },
    expires_at: expiresAt.toISOString(),
    effective: isWhole ? authorityBody(authorityOf(terms)) : null,
    status: isOver ? 'expired' : (STATUS[now.outcome] ?? 'revoked'),
    ...{ event_id: null, index: null, dropped: isWhole ? NOTHING : null, budgets: [] },
  }
}

const STATUS: Readonly<Record<string, string>> = { valid: 'active', expired: 'expired' }
const NOTHING: JsonObject = { scopes: [], purpose: null, constraints: [], hops: 0 }

const whoBody = ({ names }: Found, { agent }: { readonly agent: string }): JsonObject => ({
  ...{ agent_id: agent, agent_name: names.names.get(agent) ?? null },
})

const placedBody = (row: RootRow | HopRow): JsonObject => ({
  ...{ token_hash: row.token_hash, expires_at: row.expires_at.toISOString() },
  ...{ status: row.status, event_id: row.event_id, index: row.index },
})

/** `null` where the token that would say so is not kept any more. */
function authorityAfter(above: ChainAuthority | undefined, left: ChainAuthority | undefined) {
  return {
    effective: left === undefined ? null : authorityBody(left),
    dropped: above && left ? droppedBody(droppedBetween(above, left)) : null,
  }
}

function authorityBody(
  of: Partial<ChainAuthority> & Pick<ChainAuthority, 'scopes' | 'constraints'>,
) {
  const { scopes, constraints, delMaxDepth } = of
  const bounds = constraints.map((bound) => ({ ...bound })) as JsonObject[]
  const depth = delMaxDepth === undefined ? {} : { del_max_depth: delMaxDepth }
  return { scopes: [...scopes], constraints: bounds, ...depth } satisfies JsonObject
}

export function droppedBody({ scopes, purpose, constraints, hops }: Dropped): JsonObject {
  const tightened = constraints.map(({ key, type, was, is }) => ({ key, type, was, is }))
  return { scopes: [...scopes], purpose, constraints: tightened, hops }
}

function budgetsOf({ totals }: Found, account: string): JsonObject[] {
  return totals
    .filter((total) => total.account === account)
    .map(({ key, type, limit, used }) => ({ account, key, type, limit, used, left: limit - used }))
}

function verificationBody({ outcome, hop, field, at, notPerformed }: Verification, time: string) {
  return {
    ...{ outcome, ...(hop !== undefined && { hop }), ...(field !== undefined && { field }) },
    ...{ [time]: at.toISOString(), not_performed: [...notPerformed] },
  } satisfies JsonObject
}

/** One that has not expired could still be shown by whoever holds its key: it is not handed out. */
function tokensBody({ root, hops, tokens, now }: Found): Json {
  const rows = root === null ? [] : [root, ...hops]
  return rows.map(({ expires_at: until }, at) => (until <= now.at ? (tokens?.[at] ?? null) : null))
}
