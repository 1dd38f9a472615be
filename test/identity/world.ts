/** A front door on a database of its own, with people, workloads and services that it believes. */
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto'
import type { Constraint } from '../../src/domain/constraint.ts'
import type { Consent, Terms } from '../../src/domain/consent.ts'
import { type AgentId, newId, type PersonId } from '../../src/domain/ids.ts'
import { type KeySet, signingKey } from '../../src/domain/jws.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Act, By, Presented, RequestKey } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createIdentity, type Identity } from '../../src/identity/authenticate.ts'
import { createNonces } from '../../src/identity/nonce.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { freshDatabase } from '../pg/database.ts'
import { aHolder, type Holder, jwt, proof, type ProofParts } from './signing.ts'

export const ISS = 'https://broker.example'
export const IDP = 'https://idp.example'
export const CI = 'https://ci.example'
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:'
export const JWT_BEARER = `${ASSERTION}jwt-bearer`
export const JWT_SPIFFE = `${ASSERTION}jwt-spiffe`

export const idp = aHolder('ES256', 'same-kid')
export const ci = aHolder('RS256', 'same-kid')
export const sharing = aHolder('RS256', 'same-kid')
export const spire = aHolder('ES256', 'spire')
export const shop = aHolder('ES256', 'shop')
const sessionKey = aHolder()
const nonceKey = createSecretKey(randomBytes(32))
const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
const ROLES = {
  sponsor: ['sponsors'],
  approver: ['approvers'],
  auditor: ['auditors'],
  operator: ['ops'],
}

/** A key that sessions are signed with. */
export function ourKey(kid: string, { privateKey, publicKey }: Holder = aHolder()): KeySet[0] {
  return signingKey({ kid, alg: 'ES256', privateKey, publicKey })
}

export type World = Awaited<ReturnType<typeof aWorld>>

export async function aWorld() {
  const db = await freshDatabase()
  const consents: Consent[] = []
  const accounts: { account: string; bounds: readonly Constraint[] }[] = []
  const time = { offsetMs: 0 }
  const clock = () => new Date(Date.now() + time.offsetMs)
  const nonces = createNonces(nonceKey, true)

  /** Another replica on the same database: nothing is shared but that. */
  function aReplica(sessionKeys: KeySet = [ourKey('ses-1', sessionKey)]): Identity {
    const pool = db.pool('procura_front')
    return createIdentity({
      ...{ tenant: 'main', issuer: ISS, pool, clock, nonces },
      ledger: createLog({ tenant: 'main', pool, door: 'append_registered', sealer }),
      sessionKeys,
      people: [
        {
          ...{ issuer: IDP, jwks: { keys: [idp.jwk] }, groups_claim: 'groups' },
          roles: { claim: 'groups', ...ROLES },
        },
      ],
      workloads: [
        { kind: 'oidc', issuer: CI, jwks: { keys: [ci.jwk] }, assertion_reuse: 'first_key' },
        {
          ...{ kind: 'oidc', issuer: `${CI}/shared`, jwks: { keys: [sharing.jwk] } },
          assertion_reuse: 'any_key',
          model_claim: 'https://ci.example/model',
        },
        {
          ...{ kind: 'spiffe', trust_domain: 'example.org', jwks: { keys: [spire.jwk] } },
          assertion_reuse: 'first_key',
        },
      ],
      services: [{ name: 'shop', audience: 'https://shop.example', jwk: shop.jwk }],
      chains: {
        openRoot: () => Promise.reject(new Error('no consent here allows hops')),
        present: () => Promise.reject(new Error('no chain is shown here')),
      },
      consentsOf: (agent) => Promise.resolve(consents.filter(({ terms }) => terms.agent === agent)),
      openAccounts: (_tx, account, bounds) => {
        accounts.push({ account, bounds })
        return Promise.resolve()
      },
    })
  }

  const identity = aReplica()
  const seconds = () => Math.floor(clock().getTime() / 1000)
  const hour = () => ({ iat: seconds(), exp: seconds() + 3600 })

  /** A person's token, as their issuer signs it. */
  function personToken(sub: string, claims: Record<string, unknown> = {}, by: Holder = idp) {
    return jwt(by, { iss: IDP, sub, aud: [ISS, 'x'], groups: ['sponsors'], ...hour(), ...claims })
  }
  const personOf = async (sub: string, claims: Record<string, unknown> = {}) =>
    await identity.person(presented({ authorization: `Bearer ${personToken(sub, claims)}` }))

  /** Registers an agent of this person. */
  async function anAgent(
    workload: Parameters<Identity['agents']['register']>[1]['workload'],
    sub = 'anna',
  ) {
    const person = await personOf(sub)
    return (await identity.agents.register(person, { name: 'Nightly', workload }, by(person))).agent
  }

  /** A consent as consent/ would hold it. */
  function aConsent(
    agent: { id: AgentId; sponsor: PersonId },
    changed: Partial<Omit<Consent, 'terms'>> & { terms?: Partial<Terms> } = {},
  ) {
    const terms: Terms = {
      ...{ agent: agent.id, tools: ['crm.*', 'payments.refund'], purpose: 'support' },
      ...{ constraints: [{ key: 'args.amount', max: 1000 }], maxUses: 100, maxHops: 0 },
      ...{ delegates: 'same_sponsor', maxTtlSeconds: 300 },
      expiresAt: new Date(clock().getTime() + 3_600_000),
      ...changed.terms,
    }
    const consent: Consent = {
      ...{ id: newId('con', clock()), sponsor: agent.sponsor, status: 'active', uses: 0 },
      ...{ termsHash: 'x'.repeat(43), createdAt: clock(), ...changed },
      terms,
    }
    consents.push(consent)
    return consent
  }

  const proofFor = (holder: Holder, request: Presented, token?: string, parts: ProofParts = {}) =>
    proof(
      holder,
      {
        ...{ method: request.method, url: ISS + request.path, now: clock(), body: request.body },
        ...{ nonce: nonces.current(clock()), ...(token !== undefined && { token }) },
      },
      parts,
    )

  /** A request by an agent that holds this session, proven for its bytes. */
  function called(
    holder: Holder,
    token: string,
    changed: Partial<Presented> = {},
    parts: ProofParts = {},
  ) {
    const request = presented({ authorization: `DPoP ${token}`, body: BODY, ...changed })
    const { dpop = proofFor(holder, request, token, parts) } = changed
    return { ...request, dpop }
  }

  const ciToken = (sub: string, claims: Record<string, unknown> = {}, by: Holder = ci) =>
    jwt(by, { iss: CI, sub, aud: ISS, jti: randomUUID(), ...hour(), ...claims })
  const svid = (sub: string, claims: Record<string, unknown> = {}, by: Holder = spire) =>
    jwt(by, { sub, aud: [ISS], exp: seconds() + 300, ...claims })
  const ownJwt = (id: string, by: Holder, claims: Record<string, unknown> = {}) => {
    const iat = seconds()
    const times = { iat, exp: iat + 300 }
    return jwt(by, { iss: id, sub: id, aud: ISS, jti: randomUUID(), ...times, ...claims })
  }

  /** Asks for a session; `form` overrides, an empty text leaves out. */
  async function session(
    holder: Holder,
    assertion: string,
    form: Record<string, string> = {},
    { parts = {}, at = identity }: { parts?: ProofParts; at?: Identity } = {},
  ) {
    const type = form['client_assertion_type'] ?? JWT_BEARER
    const whole = { grant_type: 'client_credentials', client_assertion: assertion, ...form }
    const params = new URLSearchParams({ ...whole, client_assertion_type: type })
    const path = '/oauth/token'
    const body = Buffer.from(params.toString())
    const request = presented({ path, face: 'oauth', body })
    // A stock client: it does not hash a form.
    const claims = { body_sha256: undefined, ...parts.claims }
    const dpop = proofFor(holder, request, undefined, { ...parts, claims })
    return await at.openSession(params, { ...request, dpop })
  }

  return {
    ...{ db, identity, aReplica, clock, time, seconds, nonces, consents, accounts },
    ...{
      personToken,
      personOf,
      anAgent,
      aConsent,
      proofFor,
      called,
      ciToken,
      svid,
      ownJwt,
      session,
    },
  }
}

export const BODY = Buffer.from('{"tool":"payments.refund","arguments":{}}')

export function presented(changed: Partial<Presented> = {}): Presented {
  return {
    ...{ method: 'POST', path: '/v1/credentials', authorization: null, dpop: null },
    ...{ idempotencyKey: null, body: Buffer.alloc(0), requestId: 'req', face: 'native' },
    origin: { address: '127.0.0.1', userAgent: null },
    ...changed,
  }
}

/** As the front tells a part of a person's act. */
export function by({ person, tokenHash }: ProvenPerson, key: RequestKey | null = null): By {
  const { id, roles } = person
  const actor = { kind: 'person', id, roles, authentication: 'person_oidc' } as const
  const act: Act = {
    requestId: 'req',
    face: 'native',
    actor: { ...actor, credentialHash: tokenHash },
  }
  return { act, origin: presented().origin, key }
}

/** How a refusal reads: `code/reason`, on /oauth/* `error/code`; `ok` when there was none. */
export async function refusalOf(outcome: Promise<unknown>): Promise<string> {
  try {
    await outcome
    return 'ok'
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    const { oauth, reason } = error.shown
    if (oauth) return `${oauth.error}/${oauth.code}`
    return reason === undefined ? `${error.code}: ${error.message}` : `${error.code}/${reason}`
  }
}
