/** A request as it came in, before anybody looked inside. */
import type { ApprovalId } from './ids.ts'
import type { JsonObject } from './json.ts'

export type Face = 'native' | 'oauth' | 'authzen' | 'system'

/** What a caller presented: method, path, headers, bytes. Single-valued headers are single. */
export interface Presented {
  readonly method: string
  /** Path as received, without the query. */
  readonly path: string
  readonly authorization: string | null
  readonly dpop: string | null
  readonly idempotencyKey: string | null
  readonly body: Uint8Array
  readonly requestId: string
  readonly face: Face
  readonly origin: Origin
  /** Told who it is as soon as that is proven; refuses those who ask for too much. */
  readonly recognised?: (caller: Recognised) => void
}

/** Who has proven to call, and for an agent the sponsor who answers for it. */
export interface Recognised {
  readonly kind: 'agent' | 'person' | 'service'
  readonly id: string
  readonly sponsor: string | null
}

/** From where: kept sealed, for acts of persons. */
export interface Origin {
  readonly address: string
  readonly userAgent: string | null
}

export interface CredentialRequest {
  readonly tool: string
  readonly arguments: JsonObject
  readonly purpose?: string | undefined
  /** The agent's own words, for people. Nothing that decides ever reads them. */
  readonly justification?: string | undefined
  readonly ttlSeconds?: number | undefined
  readonly approval?: ApprovalId | undefined
}
export type ReadRequest = () => CredentialRequest

/** Whose `Idempotency-Key` it is, where it was sent, and what came with it. */
export interface RequestKey {
  /** An `ins_`, `spn_` id or a service's name. */
  readonly caller: string
  /** `POST /v1/credentials` */
  readonly route: string
  readonly key: string
  /** SHA-256 (base64url) of the canonical body. */
  readonly fingerprint: string
}

/** Who did it and through which door; every ledger entry names both. */
export interface Act {
  readonly requestId: string
  readonly face: Face
  readonly actor: Actor
}

/** What a part is told of an act of a person, beside who it was and what they want. */
export interface By {
  readonly act: Act
  readonly origin: Origin
  /** `null` without an `Idempotency-Key`. */
  readonly key: RequestKey | null
}

export interface Actor {
  readonly kind: 'agent' | 'person' | 'service' | 'system'
  readonly id: string
  readonly instance?: string
  readonly roles?: readonly string[]
  readonly authentication:
    | 'spiffe_jwt'
    | 'oidc'
    | 'private_key_jwt'
    | 'session_dpop'
    | 'person_oidc'
    | 'service_assertion'
    | 'none'
  /** SHA-256 (base64url) of the presented token's signing input. */
  readonly credentialHash?: string
  readonly jkt?: string
}

/** The broker itself: sweeping, signing, publishing what a folder says. */
export function bySystem(requestId: string): Act {
  return {
    requestId,
    face: 'system',
    actor: { kind: 'system', id: 'broker', authentication: 'none' },
  }
}
