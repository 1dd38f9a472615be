/** Who is calling. The front door of this part: sessions with proofs, people, services. */
import type { Pool } from 'pg'
import type { Workload } from '../domain/agent.ts'
import type { Clock } from '../domain/clock.ts'
import type { Signer } from '../domain/jws.ts'
import type { Deciding, Ledger } from '../domain/ports.ts'
import { actOf, requestKeyOf } from './acts.ts'
import { type Agents, createAgents } from './agents.ts'
import { type Callers, createCallers } from './callers.ts'
import { type Clients, createClients } from './clients.ts'
import { createIssuers, type Issuers, type PeopleIssuer, type WorkloadIssuer } from './issuers.ts'
import { forgetSessions } from './kept-sessions.ts'
import type { Nonces } from './nonce.ts'
import { createPeople, type People } from './people.ts'
import { createReplayStore } from './replay.ts'
import { createServices, type Services, type ServiceSettings } from './services.ts'
import { createSessions, type Sessions, type SessionsOptions } from './sessions.ts'
import { trustDomainOf } from './spiffe.ts'

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
type Calling = Pick<Callers, 'authenticate' | 'sessionIn'>
export interface Identity extends Authenticating, Calling, People, Services, Sessions, Clients {
  readonly agents: Agents
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

  const callers = createCallers({ ...options, replay, signer })
  const services = createServices({ ...options, replay })
  const attesting = { ...options, ...callers, issuers, agents, replay }
  return {
    ...callers,
    actOf,
    requestKey: ({ session }, presented) => requestKeyOf(session.instance, presented),
    ...createPeople({ ...options, issuers }),
    ...services,
    ...createSessions({ ...attesting, signer }),
    ...createClients({
      ...attesting,
      service: (...asked) => services.service(...asked),
    }),
    agents,
    currentNonce: () => nonces.current(clock()),
    prune: async () =>
      (await replay.prune()) + (await forgetSessions(options.pool, options.tenant)),
  }
}

const isConfigured = (issuers: Issuers) => (workload: Workload) => {
  if (workload.kind === 'oidc') return issuers.oidc(workload.issuer) !== undefined
  if (workload.kind === 'spiffe') return issuers.spiffe(trustDomainOf(workload.id)) !== undefined
  return true
}
