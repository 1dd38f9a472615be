/** People: sponsors, approvers, auditors, operators. */
import type { PersonId } from './ids.ts'
import type { JsonObject } from './json.ts'

export const ROLES = ['sponsor', 'approver', 'auditor', 'operator'] as const
export type Role = (typeof ROLES)[number]

/** A person as last seen: who they are, and what their issuer's token said they may do here. */
export interface Person {
  readonly id: PersonId
  readonly issuer: string
  readonly subject: string
  readonly display: string | null
  readonly roles: readonly Role[]
  /** Groups that rules may name, for instance in `@ask("dba-oncall")`. */
  readonly groups: readonly string[]
}

/** What identifies a person. Wherever it is written down, it is sealed. */
export function identityOf({ issuer, subject, display }: Person): JsonObject {
  return { iss: issuer, sub: subject, display }
}

/** A person whose token this broker has itself verified for this request. Made in identity/ only. */
export class ProvenPerson {
  readonly person: Person
  /** When they signed in, as their issuer says; approvals ask for a recent one. */
  readonly authenticatedAt: Date | null
  readonly #tokenHash: string
  private constructor(person: Person, authenticatedAt: Date | null, tokenHash: string) {
    this.person = person
    this.authenticatedAt = authenticatedAt
    this.#tokenHash = tokenHash
  }
  static proven(person: Person, authenticatedAt: Date | null, tokenHash: string): ProvenPerson {
    return new ProvenPerson(person, authenticatedAt, tokenHash)
  }
  /** SHA-256 of the token's signing input, for the record. */
  get tokenHash(): string {
    return this.#tokenHash
  }
}

/** A target or gateway whose assertion this broker has itself verified. Made in identity/ only. */
export class ProvenService {
  readonly name: string
  /** The audience it answers for: it may introspect and redeem what was minted for this, no more. */
  readonly audience: string
  readonly #tokenHash: string
  private constructor(name: string, audience: string, tokenHash: string) {
    this.name = name
    this.audience = audience
    this.#tokenHash = tokenHash
  }
  static proven(name: string, audience: string, tokenHash: string): ProvenService {
    return new ProvenService(name, audience, tokenHash)
  }
  get tokenHash(): string {
    return this.#tokenHash
  }
}
