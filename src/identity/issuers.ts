/** Whom we believe about people and workloads: the configured issuers, found by name, byte for byte. */
import type { Clock } from '../domain/clock.ts'
import type { Role } from '../domain/person.ts'
import { createKeySource, type KeyLocation, type KeySource } from './key-source.ts'

export interface PeopleIssuer extends KeyLocation {
  readonly issuer: string
  /** Which values of a claim give somebody which role. */
  readonly roles: { readonly claim: string } & Readonly<Record<Role, readonly string[]>>
  readonly groups_claim: string
}

export type WorkloadIssuer = KeyLocation & {
  /** Whether an assertion is bound to the first key that it comes with. */
  readonly assertion_reuse: 'first_key' | 'any_key'
  /** The claim with which it attests `{name, tier}` of the model that the run is on. */
  readonly model_claim?: string | undefined
} & (
    | { readonly kind: 'oidc'; readonly issuer: string }
    | { readonly kind: 'spiffe'; readonly trust_domain: string }
  )

export interface Trusted<Settings> {
  readonly settings: Settings
  readonly keys: KeySource
}

export interface Issuers {
  person(issuer: unknown): Trusted<PeopleIssuer> | undefined
  oidc(issuer: unknown): Trusted<WorkloadIssuer> | undefined
  spiffe(trustDomain: string | null): Trusted<WorkloadIssuer> | undefined
}

/** @throws TypeError at start, for an issuer whose keys cannot be had as configured */
export function createIssuers(
  { people, workloads }: { people: readonly PeopleIssuer[]; workloads: readonly WorkloadIssuer[] },
  clock: Clock,
): Issuers {
  const trust = <S extends KeyLocation>(settings: S): Trusted<S> => ({
    settings,
    keys: createKeySource(settings, clock),
  })
  const persons = new Map(people.map((settings) => [settings.issuer, trust(settings)]))
  const machines = new Map(workloads.map((settings) => [nameOf(settings), trust(settings)]))
  if (persons.size < people.length || machines.size < workloads.length) {
    throw new TypeError('an issuer or trust domain is configured twice')
  }
  return {
    person: (issuer) => (typeof issuer === 'string' ? persons.get(issuer) : undefined),
    oidc: (issuer) => (typeof issuer === 'string' ? machines.get(`oidc ${issuer}`) : undefined),
    spiffe: (domain) => (domain === null ? undefined : machines.get(`spiffe ${domain}`)),
  }
}

const nameOf = (settings: WorkloadIssuer) =>
  settings.kind === 'oidc' ? `oidc ${settings.issuer}` : `spiffe ${settings.trust_domain}`
