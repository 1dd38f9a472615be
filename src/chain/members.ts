/** The closed members of roots and hops: every one has its rule, and there is no other. */
import { type Digest, isDigest } from '../domain/digest.ts'
import { type Id, type IdPrefix, isId } from '../domain/ids.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { PURPOSE } from '../domain/purpose.ts'
import type { ParseOutcome } from './outcome.ts'
import { publicJwk } from './keys.ts'

/** Ends the reading of a token. The message names no value. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
  readonly outcome: ParseOutcome

  constructor(outcome: ParseOutcome, message: string) {
    super(message)
    this.outcome = outcome
  }
}

const HEADER = {
  root: { required: ['alg', 'kid', 'typ'], optional: [] },
  hop: { required: ['alg', 'jwk', 'typ'], optional: ['c14n'] },
} as const
const COMMON = [
  ...['iss', 'sub', 'aud', 'client_id', 'cnf', 'iat', 'exp', 'jti', 'purpose'],
  ...['authorization_details', 'del_depth'],
]
const CLAIMS = {
  root: { required: [...COMMON, 'del_max_depth', 'consent_id', 'instance_id'], optional: [] },
  hop: { required: [...COMMON, 'par_hash'], optional: ['nbf', 'del_max_depth'] },
} as const
export type TokenKind = keyof typeof CLAIMS

export function headerOf(kind: TokenKind, header: JsonObject) {
  closed(header, HEADER[kind])
  if (header['typ'] !== 'at+jwt') throw wrong('typ')
  if ('c14n' in header && header['c14n'] !== 'JCS') throw wrong('c14n')
  return {
    alg: text(header, 'alg'),
    kid: kind === 'root' ? text(header, 'kid') : '',
    key: kind === 'hop' ? (publicJwk(header['jwk']) ?? fail('jwk')) : null,
  }
}

export function claimsOf(kind: TokenKind, claims: JsonObject) {
  closed(claims, CLAIMS[kind])
  const { scopes, constraints } = delegationIn(claims['authorization_details'])
  return {
    iss: text(claims, 'iss'),
    sub: id('spn', claims, 'sub'),
    aud: text(claims, 'aud'),
    clientId: id('agt', claims, 'client_id'),
    jkt: confirmationIn(claims['cnf']),
    iat: count(claims, 'iat'),
    exp: count(claims, 'exp'),
    nbf: 'nbf' in claims ? count(claims, 'nbf') : null,
    jti: matching(/^[A-Za-z0-9_-]{16,64}$/, claims, 'jti'),
    purpose: matching(PURPOSE, claims, 'purpose', PURPOSE_MAX),
    depth: count(claims, 'del_depth'),
    delMaxDepth: 'del_max_depth' in claims ? count(claims, 'del_max_depth') : null,
    scopes,
    constraints,
  }
}

export function rootClaimsOf(claims: JsonObject) {
  const delMaxDepth = count(claims, 'del_max_depth')
  if (delMaxDepth < 2 || delMaxDepth > 8) throw wrong('del_max_depth')
  const consentId = id('con', claims, 'consent_id')
  return { delMaxDepth, consentId, instanceId: id('ins', claims, 'instance_id') }
}

export function digest(claims: JsonObject, name: string): Digest {
  const value = claims[name]
  return typeof value === 'string' && isDigest(value) ? value : fail(name)
}

function confirmationIn(value: Json | undefined): Digest {
  if (!isObject(value)) throw wrong('cnf')
  closed(value, { required: ['jkt'], optional: [] })
  return digest(value, 'jkt')
}

/** Exactly one detail, of our type. Its scopes and constraints are read when the bytes are in order. */
function delegationIn(details: Json | undefined) {
  const [detail, ...others] = Array.isArray(details) ? details : []
  if (!isObject(detail) || others.length > 0) throw wrong('authorization_details')
  closed(detail, { required: ['type', 'scopes', 'constraints'], optional: [] })
  const { type, scopes, constraints } = detail
  if (type !== 'agent_delegation') throw wrong('authorization_details')
  return { scopes: scopes ?? null, constraints: constraints ?? null }
}

interface Members {
  readonly required: readonly string[]
  readonly optional: readonly string[]
}
function closed(object: JsonObject, { required, optional }: Members): void {
  const missing = required.find((name) => !Object.hasOwn(object, name))
  if (missing !== undefined) throw new Unreadable('malformed', `The member ${missing} is missing`)
  const isKnown = (name: string) => required.includes(name) || optional.includes(name)
  if (!Object.keys(object).every(isKnown)) {
    throw new Unreadable('malformed', 'There is a member that has no place here')
  }
}

function text(of: JsonObject, name: string): string {
  const value = of[name]
  return typeof value === 'string' && value !== '' ? value : fail(name)
}

function matching(form: RegExp, of: JsonObject, name: string, lengthMax = Infinity): string {
  const value = text(of, name)
  return form.test(value) && value.length <= lengthMax ? value : fail(name)
}

function id<Prefix extends IdPrefix>(prefix: Prefix, of: JsonObject, name: string): Id<Prefix> {
  const value = text(of, name)
  return isId(prefix, value) ? value : fail(name)
}

function count(of: JsonObject, name: string): number {
  const value = of[name]
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : fail(name)
}

const PURPOSE_MAX = 64
const wrong = (name: string) => new Unreadable('malformed', `The member ${name} has a wrong form`)
function fail(name: string): never {
  throw wrong(name)
}
