/** The parameters of `POST /oauth/token` with which an instance asks for a session. */
import { type Model, modelOf } from '../domain/agent.ts'
import type { Constraint } from '../domain/constraint.ts'
import { type Reading, readConstraints, readScopes } from '../domain/constraint-reading.ts'
import { type ConsentId, isId } from '../domain/ids.ts'
import { isObject, type Json, type JsonObject, readJson } from '../domain/json.ts'
import { oauthError } from './refusals.ts'

/** Form parameters, each given once; a `Map` or `URLSearchParams` will do. */
export interface Form {
  get(name: string): string | null | undefined
}

/** What the session should be, where it is to be less than the consent. */
export interface Wanted {
  readonly client: string | undefined
  readonly consent: ConsentId | undefined
  readonly purpose: string | undefined
  readonly model: Model | null
  readonly scopes: readonly string[] | undefined
  readonly constraints: readonly Constraint[] | undefined
  /** A root as well, where the consent allows hops. */
  readonly root: boolean
}

/** A parameter without a value counts as absent (RFC 6749 §3.2). */
export function parameter(form: Form, name: string): string | undefined {
  const value = form.get(name)
  return value === '' || value === null ? undefined : value
}

export type Grant = 'client_credentials' | typeof TOKEN_EXCHANGE
const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const CHAIN = 'urn:procura:token-type:delegation-chain'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'

/** Straight under a consent, or under a hop. @throws BrokerError with an OAuth error */
export function grantIn(form: Form): Grant {
  const type = parameter(form, 'grant_type')
  if (type === undefined) throw oauthError('invalid_request')
  if (type === 'client_credentials' || type === TOKEN_EXCHANGE) return type
  throw oauthError('unsupported_grant_type')
}

/** The chain of a token exchange, and whatever else is said to name who acts (RFC 8693 §2.1). */
export interface Exchange {
  readonly chain: string
  readonly actor: string | undefined
}

/** @throws BrokerError with an OAuth error */
export function readExchange(form: Form): Exchange {
  const given = (name: string) => parameter(form, name)
  const chain = given('subject_token')
  const actor = given('actor_token')
  const isAsKnown =
    given('subject_token_type') === CHAIN &&
    (given('requested_token_type') ?? ACCESS_TOKEN) === ACCESS_TOKEN &&
    given('actor_token_type') === (actor === undefined ? undefined : JWT) &&
    given('consent_id') === undefined &&
    given('delegation_root') === undefined
  if (chain === undefined || !isAsKnown) throw oauthError('invalid_request')
  return { chain, actor }
}

/**
 * Everything but the client's authentication.
 *
 * @param issuer the only resource and audience that a session is for
 * @throws BrokerError with an OAuth error
 */
export function readWanted(form: Form, issuer: string): Wanted {
  const given = (name: string) => parameter(form, name)
  for (const name of ['resource', 'audience']) {
    if ((given(name) ?? issuer) !== issuer) throw oauthError('invalid_target')
  }
  if (given('scope') !== undefined) throw oauthError('invalid_scope')
  if ((given('delegation_root') ?? 'true') !== 'true') throw oauthError('invalid_request')
  return {
    client: given('client_id'),
    consent: readConsent(given('consent_id')),
    purpose: given('purpose'),
    model: readModel(given('model')),
    root: given('delegation_root') === 'true',
    ...readDetails(given('authorization_details')),
  }
}

function readConsent(id: string | undefined): ConsentId | undefined {
  if (id !== undefined && !isId('con', id)) throw oauthError('invalid_grant', 'no_consent')
  return id
}

/** What it says of itself is a claim: it may make a rule refuse, and never allow. */
function readModel(text: string | undefined): Model | null {
  if (text === undefined) return null
  const model = modelOf(objectOf(text, 'invalid_request'), 'claimed')
  if (model === null) throw oauthError('invalid_request')
  return model
}

/** One `agent_delegation` and nothing else: an unknown type or member is refused. */
function readDetails(text: string | undefined): Pick<Wanted, 'scopes' | 'constraints'> {
  if (text === undefined) return { scopes: undefined, constraints: undefined }
  const wrong = () => oauthError('invalid_authorization_details')
  // The strict reader reads objects; what closed this one early would leave a second member.
  const { list, ...outside } = objectOf(`{"list":${text}}`, 'invalid_authorization_details')
  const [detail, ...more] = Array.isArray(list) ? list : []
  if (!isObject(detail) || more.length > 0 || Object.keys(outside).length > 0) throw wrong()
  const { type, scopes, constraints, ...others } = detail
  if (type !== 'agent_delegation' || Object.keys(others).length > 0) throw wrong()
  return { scopes: readIf(scopes, readScopes), constraints: readIf(constraints, readConstraints) }
}

function readIf<T>(value: Json | undefined, read: (value: Json) => Reading<T>): T | undefined {
  if (value === undefined) return undefined
  const reading = read(value)
  if (reading.ok) return reading.value
  const error = 'invalid_authorization_details'
  throw oauthError(error, error, { detail: `${reading.pointer}: ${reading.rule}` })
}

function objectOf(text: string, error: string): JsonObject {
  try {
    return readJson(Buffer.from(text))
  } catch {
    throw oauthError(error)
  }
}
