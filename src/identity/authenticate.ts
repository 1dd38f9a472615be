/** Who is calling. The front door of this part: sessions with proofs, people, services. */
import type { Pool } from 'pg'
import type { Workload } from '../domain/agent.ts'
import type { Clock } from '../domain/clock.ts'
import { sha256 } from '../domain/digest.ts'
import { ProvenInstance, type Session } from '../domain/instance.ts'
import { JwsError, readToken, type Signer } from '../domain/jws.ts'
import type { Deciding, Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Presented } from '../domain/request.ts'
import { actOf, requestKeyOf } from './acts.ts'
import { type Agents, createAgents } from './agents.ts'
import { createCache } from '../domain/cache.ts'
import { type Clients, createClients } from './clients.ts'
import { checkProof, refused } from './dpop.ts'
import { createIssuers, type Issuers, type PeopleIssuer, type WorkloadIssuer } from './issuers.ts'
import { forgetSessions } from './kept-sessions.ts'
import type { Nonces } from './nonce.ts'
import { createPeople, type People } from './people.ts'
import { createReplayStore, type ReplayStore } from './replay.ts'
import { credentialsIn, refusing } from './refusals.ts'
import { readSession } from './session-claims.ts'
import { createServices, type Services, type ServiceSettings } from './services.ts'
import { createSessions, type Sessions, type SessionsOptions } from './sessions.ts'
import { trustDomainOf } from './spiffe.ts'
import { MAX_BYTES } from './third-party.ts'

const SESSIONS_KEPT = 4000

export interface IdentityOptions extends Pick<
  SessionsOptions,
  'consentsOf' | 'openAccounts' | 'chains'
> {
  readonly tenant: string
  /** The broker's own issuer: an origin. Every address a proof may name is built from it. */
  readonly issuer: string
  /** Connections of the front side, and the ledger as that side writes it. */
  readonly pool: Pool
  readonly ledger: Ledger
  readonly clock: Clock
  readonly sessionKeys: Signer['keys']
  readonly nonces: Nonces
  readonly people: readonly PeopleIssuer[]
  readonly workloads: readonly WorkloadIssuer[]
  readonly services: readonly ServiceSettings[]
}

type Authenticating = Deciding['identity']
export interface Identity extends Authenticating, People, Services, Sessions, Clients {
  readonly agents: Agents
  /** What a live session of ours says; `null` for every other text. */
  sessionIn(token: string): Session | null
  /** For `DPoP-Nonce` on every answer to an agent. */
  currentNonce(): string
  /** Forgets proofs, assertions and sessions that can no longer be presented; how many. */
  prune(): Promise<number>
}

/** @throws TypeError at start, for issuers or services that could not be verified as configured */
export function createIdentity(options: IdentityOptions): Identity {
  const { issuer, clock, nonces } = options
  const issuers = createIssuers(options, clock)
  const replay = createReplayStore(options)
  const signer = { issuer, keys: options.sessionKeys }
  const agents = createAgents({ ...options, isConfigured: isConfigured(issuers) })
  const sessionOf = createSessionReader(signer, clock)

  /** Checks the proof and uses it up, whatever comes of the request. */
  async function prove(presented: Presented, session: Parameters<typeof checkProof>[1]['session']) {
    const { method, path, body, dpop, face } = presented
    const about = { method, url: issuer + path, session, body, isBodyBound: face !== 'oauth' }
    const proof = checkProof(dpop, { ...about, nonces, now: clock() })
    await useUp(replay, proof)
    return proof.jkt
  }

  const services = createServices({ ...options, replay })
  const attesting = { ...options, issuers, agents, replay }
  const proveAlone = (presented: Presented) => prove(presented, null)
  return {
    async authenticate(presented) {
      const token = sessionTokenIn(presented)
      const session = await refusing('invalid_token', () => sessionOf(token))
      const jkt = await prove(presented, { token, jkt: session.jkt })
      const { agent: id, sponsor } = session.session
      presented.recognised?.({ kind: 'agent', id, sponsor })
      return ProvenInstance.proven(session.session, jkt)
    },
    actOf,
    requestKey: ({ session }, presented) => requestKeyOf(session.instance, presented),
    ...createPeople({ ...options, issuers }),
    ...services,
    ...createSessions({ ...attesting, signer, prove: proveAlone }),
    ...createClients({
      ...{ ...attesting, prove: proveAlone },
      service: (...asked) => services.service(...asked),
    }),
    sessionIn(token) {
      try {
        return sessionOf(token).session
      } catch (error) {
        if (error instanceof JwsError) return null // What is not a live session is nobody's.
        throw error
      }
    },
    agents,
    currentNonce: () => nonces.current(clock()),
    prune: async () =>
      (await replay.prune()) + (await forgetSessions(options.pool, options.tenant)),
  }
}

/** A session sent as a bearer token is one without a proof; anything else there is no session. */
function sessionTokenIn({ authorization, dpop }: Presented): string {
  const token = credentialsIn(authorization, 'DPoP')
  if (token !== null) return token
  if (dpop === null && credentialsIn(authorization, 'Bearer') !== null) throw refused('missing')
  throw new BrokerError('invalid_token', { message: 'no_session' })
}

interface Held {
  readonly session: Session
  readonly jkt: string
}

/**
 * Verifies each session once. What is kept is that the signature was right, never that the session
 * may still be used: whether what it rests on was stopped is read where it is decided.
 */
function createSessionReader(signer: Signer, clock: Clock): (token: string) => Held {
  const known = createCache<Held & { readonly kid: string }>(SESSIONS_KEPT)
  // A key that was taken out since takes with it what it signed.
  const isInForce = (kid: string) => signer.keys.some((key) => key.kid === kid)
  return (token) => {
    if (token.length > MAX_BYTES) throw new JwsError('too_large')
    const now = clock()
    const digest = sha256(token)
    const kept = known.get(digest)
    if (kept !== undefined && isInForce(kept.kid)) {
      if (now >= kept.session.expiresAt) throw new JwsError('expired')
      return kept
    }
    const read = readToken('session', token, signer, { now })
    const held = { ...readSession(read), kid: read.kid }
    known.set(digest, held)
    return held
  }
}

async function useUp(
  replay: ReplayStore,
  { jkt, jti, usableUntil }: ReturnType<typeof checkProof>,
): Promise<void> {
  if (!(await replay.isFirstUse(jkt, jti, usableUntil))) throw refused('replay')
}

const isConfigured = (issuers: Issuers) => (workload: Workload) => {
  if (workload.kind === 'oidc') return issuers.oidc(workload.issuer) !== undefined
  if (workload.kind === 'spiffe') return issuers.spiffe(trustDomainOf(workload.id)) !== undefined
  return true
}
