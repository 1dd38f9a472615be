/** A credential's life: intended, issued, over. */
import type {
  AgentId,
  ConsentId,
  CredentialId,
  DecisionId,
  DelegationId,
  EventId,
  InstanceId,
  PersonId,
} from './ids.ts'
import type { JsonObject } from './json.ts'
import type { Secret } from './secret.ts'
import type { SenderConstraint } from './tool.ts'

/** A redeemed decision about to be made. Its row is committed, with the name it will have out there. */
export interface Intent {
  readonly lease: CredentialId
  readonly decision: DecisionId
  readonly downstreamName: string
  /** `none` in what failed because its target is not configured any more. */
  readonly connector: ConnectorName | 'none'
  readonly target: string
  /** What the connector is to give, as the PDP signed it. */
  readonly permissions: JsonObject
  readonly grantHash: string
  readonly ttlSeconds: number
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly senderConstraint: SenderConstraint
  readonly level: 'L1' | 'L2' | 'L3'
  readonly tool: string
  readonly toolHash: string
  readonly argsHash: string
  readonly requestHash: string
  readonly purpose: string
  readonly sponsor: PersonId
  readonly agent: AgentId
  readonly instance: InstanceId
  readonly consent: ConsentId
  /** The hop that it rests on; `null` at depth 0. */
  readonly delegation: DelegationId | null
  readonly jkt: string
  readonly act: JsonObject
  /** The decision's `chain` claim, as the record repeats it; `null` at depth 0. */
  readonly chain: JsonObject | null
  readonly revocationEpoch: number
  /** The request that collects it, for the records that follow. */
  readonly requestId: string
  /** What its `issuance` will be called, should it come to one. */
  readonly eventId: EventId
}

/** Each connector, and the kind of what it issues. */
export const KIND_OF = {
  jwt: 'jwt',
  postgres: 'postgres',
  'postgres-exact': 'proxy',
  http: 'proxy',
  'aws-sts': 'aws',
  vault: 'secret',
} as const
export type ConnectorName = keyof typeof KIND_OF
export const CONNECTORS = Object.keys(KIND_OF) as ConnectorName[]

/** How it reaches its holder: as a credential, or as calls that we make with one. */
export const deliveryOf = ({ senderConstraint }: Pick<Intent, 'senderConstraint'>) =>
  senderConstraint === 'proxy' ? 'proxy' : 'mint'

/** What a connector made. */
export interface Issued {
  readonly kind: (typeof KIND_OF)[ConnectorName]
  readonly credential: Readonly<
    Record<string, string | number | Secret | Readonly<Record<string, Secret>>>
  >
  readonly expiresAt: Date
}

/** `revoked` and its like are written only when the target has confirmed, or cannot be asked any more. */
export const LEASE_STATES = [
  'minting',
  'active',
  'redeemed',
  'returned',
  'expired',
  'revoked',
  'failed',
  'revoke_pending',
] as const
export type LeaseState = (typeof LEASE_STATES)[number]

export interface Lease {
  readonly id: CredentialId
  readonly decision: DecisionId
  readonly state: LeaseState
  readonly tool: string
  readonly argsHash: string
  readonly purpose: string
  readonly level: 'L1' | 'L2' | 'L3'
  readonly senderConstraint: SenderConstraint
  readonly consent: ConsentId
  readonly instance: InstanceId
  readonly ttlSeconds: number
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly endedAt: Date | null
  readonly confirmedDeadAt: Date | null
  /** `evt_` of the issuance, once it is on record. */
  readonly eventId: string | null
}

/** Why a lease is over, or being ended. */
export type EndReason = 'expired' | 'returned' | 'revoked' | 'delivery_unknown'
