/** What the HTTP front needs of the delivering side: handed over with the rest, faked in test/fakes. */
import type { CredentialId, DecisionId } from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Lease } from '../domain/lease.ts'
import type { ProvenService } from '../domain/person.ts'
import type { Act, By } from '../domain/request.ts'

export interface FrontCredentials {
  read(instance: ProvenInstance, id: CredentialId): Promise<Lease>
  giveBack(instance: ProvenInstance, id: CredentialId, act: Act): Promise<GivenBack>
  /** Its answer may have reached nobody: it is taken back, if it is not over already. */
  undelivered(id: CredentialId, act: Act): Promise<void>
  redeem(service: ProvenService, spent: Spending, by: By): Promise<Redemption>
}
export interface GivenBack {
  readonly id: CredentialId
  readonly status: Lease['state']
  readonly refunded: boolean
  readonly confirmedDeadAt: Date | null
}
export interface Spending {
  readonly token: string
  readonly tool: string
  readonly argsHash: string
  /** The agent's proof to the target; `null`: the target says that it has checked it. */
  readonly dpop: { readonly proof: string; readonly htm: string; readonly htu: string } | null
}
export interface Redemption {
  /** The key has done this before, and it was not done again. */
  readonly isRepeat: boolean
  readonly credential: CredentialId
  readonly redeemedAt: Date
  readonly tool: string
  readonly argsHash: string
  readonly purpose: string
  readonly sub: string
  readonly clientId: string
  readonly act: JsonObject
  readonly decision: DecisionId
  readonly expiresAt: Date
  readonly eventId: string
}

export interface FrontProxy {
  /** One call of an API, for the lease that was given for it; throws before anything is answered. */
  call(instance: ProvenInstance, called: Proxied, act: Act): Promise<ProxiedAnswer>
}
export interface Proxied {
  readonly lease: CredentialId
  readonly method: string
  /** Below the lease, and the query without its question mark, as they were sent. */
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Uint8Array
  /** Fires when the caller has left. */
  readonly left: AbortSignal
}
export interface ProxiedAnswer {
  /** The target's. */
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly first: Uint8Array
  /** `null`: `first` is all of it. */
  readonly more: AsyncIterable<Uint8Array> | null
  /** Resolves when nothing of it goes on any more. */
  readonly over: Promise<void>
}
