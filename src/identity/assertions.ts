/** An agent's client assertion → which agent it is: JWT-SVID, OIDC token, or its own key's signature. */
import { type Agent, type Model, modelOf, type Workload } from '../domain/agent.ts'
import type { Clock } from '../domain/clock.ts'
import { isId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { JwsError } from '../domain/jws.ts'
import type { Actor } from '../domain/request.ts'
import { type Agents, workloadKey } from './agents.ts'
import { takeApart } from './compact.ts'
import type { Issuers, Trusted, WorkloadIssuer } from './issuers.ts'
import { readVerifyKey } from './jwks.ts'
import { oauthError, refusing } from './refusals.ts'
import type { ReplayStore } from './replay.ts'
import { trustDomainOf } from './spiffe.ts'
import { NOBODY } from './stand-in.ts'
import {
  type Kind,
  kidOf,
  MAX_BYTES,
  SKEW_SECONDS,
  type ThirdParty,
  verifyThirdParty,
} from './third-party.ts'

const SVID: Kind = {
  algorithms: [
    ...(['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'] as const),
    ...(['PS256', 'PS384', 'PS512'] as const),
  ],
  types: [null, 'JWT', 'JOSE'],
  audiences: 'only',
}
const OIDC: Kind = {
  algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA'],
  types: [null, 'JWT'],
  audiences: 'only',
}
const OWN_KEY: Kind = {
  algorithms: ['ES256', 'Ed25519', 'EdDSA', 'RS256', 'PS256'],
  types: [null, 'JWT', 'client-authentication+jwt'],
  audiences: 'only',
}
const LIFE_SECONDS = 24 * 3600
const OWN_KEY_LIFE_SECONDS = 300
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:'

/** An agent that has shown whose run this is. Nothing was used up or bound yet. */
export interface Attested {
  readonly agent: Agent
  readonly authentication: Actor['authentication']
  readonly tokenHash: string
  /** The end of what was shown; a session rests on it. */
  readonly expiresAt: Date
  readonly reuse: 'first_key' | 'any_key' | 'once'
  readonly jti: string
  /** What its platform says of the model that it runs on; `null` where that says nothing. */
  readonly model: Model | null
}

export interface AttestOptions {
  /** The broker's own: the audience. */
  readonly issuer: string
  readonly issuers: Issuers
  readonly agents: Pick<Agents, 'active' | 'byWorkload'>
  readonly replay: ReplayStore
  readonly clock: Clock
}

/**
 * Whose run this is. An assertion is a bearer token: it is bound to the first key it comes with, and
 * one under the agent's own key is used up.
 *
 * @param jkt `null` where it comes with none, and nothing is given for it
 * @throws BrokerError `invalid_client`, or `unavailable`
 */
export async function attest(
  options: AttestOptions,
  { type, assertion }: { type: string | undefined; assertion: string | undefined },
  jkt: string | null,
): Promise<Attested> {
  return await refusing('invalid_client', async () => {
    if (assertion === undefined) throw new JwsError('no_assertion')
    const attested = await read(options, type, assertion)
    const { reuse, jti, agent, tokenHash, expiresAt } = attested
    const until = new Date(expiresAt.getTime() + SKEW_SECONDS * 1000)
    if (reuse === 'once' && !(await options.replay.useUp(`agent:${agent.id}`, jti, until))) {
      throw new JwsError('jti_replay')
    }
    if (jkt === null || reuse !== 'first_key') return attested
    if (!(await options.replay.isBoundTo(tokenHash, jkt, until))) {
      throw oauthError('invalid_client', 'assertion_bound_elsewhere')
    }
    return attested
  })
}

async function read(options: AttestOptions, type: string | undefined, assertion: string) {
  const { issuers } = options
  if (type === `${ASSERTION}jwt-spiffe`) {
    const how = { kind: SVID, whose: svidOf(issuers), as: 'spiffe_jwt' } as const
    return await readWorkload(options, assertion, how)
  }
  if (type !== `${ASSERTION}jwt-bearer`) throw new JwsError('assertion_type')
  const { iss } = takeApart(assertion, MAX_BYTES).claims
  if (typeof iss === 'string' && isId('agt', iss)) return await readOwnKey(options, assertion, iss)
  const how = { kind: OIDC, whose: oidcOf(issuers), as: 'oidc' } as const
  return await readWorkload(options, assertion, how)
}

/** Whose keys an assertion must be signed with, and which workload it then proves. */
type Whose = (claims: JsonObject) => {
  readonly issuer: Trusted<WorkloadIssuer>
  readonly workload: Workload
}

const svidOf =
  (issuers: Issuers): Whose =>
  ({ sub }) => {
    const id = typeof sub === 'string' ? sub : ''
    const issuer = issuers.spiffe(trustDomainOf(id))
    if (issuer === undefined) throw new JwsError('bad_spiffe_id')
    return { issuer, workload: { kind: 'spiffe', id } }
  }

const oidcOf =
  (issuers: Issuers): Whose =>
  ({ iss, sub }) => {
    const issuer = issuers.oidc(iss)
    if (issuer === undefined || typeof iss !== 'string') throw new JwsError('iss')
    if (typeof sub !== 'string') throw new JwsError('sub')
    return { issuer, workload: { kind: 'oidc', issuer: iss, subject: sub } }
  }

async function readWorkload(
  options: AttestOptions,
  assertion: string,
  { kind, whose, as }: { kind: Kind; whose: Whose; as: Actor['authentication'] },
): Promise<Attested> {
  const keyFor = (claims: JsonObject, header: JsonObject) =>
    whose(claims).issuer.keys.find(kidOf(header))
  const verified = await verify(options, assertion, kind, keyFor)
  const { issuer, workload } = whose(verified.claims)
  const agent = known(await options.agents.byWorkload(workloadKey(workload)))
  const { assertion_reuse: reuse, model_claim: claim } = issuer.settings
  const model = modelIn(verified.claims, claim)
  return attestedBy(verified, { agent, authentication: as, reuse, model })
}

/** @throws JwsError for one that cannot be read: it was meant to say something */
function modelIn(claims: JsonObject, claim: string | undefined): Model | null {
  if (claim === undefined || !Object.hasOwn(claims, claim)) return null
  const model = modelOf(claims[claim] ?? null, 'attested')
  if (model === null) throw new JwsError('model')
  return model
}

async function readOwnKey(
  options: AttestOptions,
  assertion: string,
  id: string,
): Promise<Attested> {
  const found = await options.agents.active(id)
  const own = found?.workload.kind === 'jwk' ? found.workload.jwk : null
  // Without a key it fails all the same, after as long: see stand-in.ts.
  const read = readVerifyKey(own ?? NOBODY)
  const key = own === null ? null : read
  const verifying = verify(options, assertion, OWN_KEY, () => Promise.resolve(key))
  const verified = await verifying.catch((error: unknown) => {
    throw key === null ? new JwsError(found === null ? 'no_agent' : 'workload_kind') : error
  })
  const agent = known(found)
  const { iss, sub, iat, exp, jti } = verified.claims
  if (iss !== sub) throw new JwsError('sub')
  if (typeof jti !== 'string' || jti === '' || jti.length > 256) throw new JwsError('jti')
  if (typeof iat !== 'number' || Number(exp) - iat > OWN_KEY_LIFE_SECONDS) throw new JwsError('exp')
  return attestedBy(verified, { agent, authentication: 'private_key_jwt', reuse: 'once', jti })
}

async function verify(
  { issuer: audience, clock }: AttestOptions,
  assertion: string,
  kind: Kind,
  keyFor: Parameters<typeof verifyThirdParty>[1]['keyFor'],
): Promise<ThirdParty> {
  const now = clock()
  const verified = await verifyThirdParty(assertion, { kind, audience, keyFor, now })
  const isTooLong = verified.expiresAt.getTime() > now.getTime() + LIFE_SECONDS * 1000
  if (isTooLong) throw new JwsError('exp')
  return verified
}

function attestedBy(
  { tokenHash, expiresAt }: ThirdParty,
  by: Pick<Attested, 'agent' | 'authentication' | 'reuse'> &
    Partial<Pick<Attested, 'jti' | 'model'>>,
): Attested {
  return { jti: '', model: null, ...by, tokenHash, expiresAt }
}

/** An active agent, or nobody that we know: whether it was retired is not said. */
function known(agent: Agent | null): Agent {
  if (agent === null) throw new JwsError('no_agent')
  return agent
}
