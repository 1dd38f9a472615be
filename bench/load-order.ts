/** What is said between the bench and the process that its load comes from. */
import type { JsonObject } from '../src/domain/json.ts'

/** One run of an agent: its private key, and its session. */
export interface RunOf {
  readonly jwk: JsonObject
  readonly token: string
}

interface Common {
  readonly issuer: string
  readonly runs: readonly RunOf[]
  readonly seconds: number
}
export type Order =
  | (Common & { readonly kind: 'closed'; readonly callers: number })
  | (Common & { readonly kind: 'open'; readonly rate: number })

export interface Minted {
  readonly id: string
  /** The entry that it is on record with, where the server tells. */
  readonly event: string | null
}

export interface Driven {
  readonly mints: number
  /** Mints besides, which warmed up and were not timed. */
  readonly extra: number
  readonly seconds: number
  /** Milliseconds, of each mint: from when it was sent; in an open loop, from when it was due. */
  readonly latencies: readonly number[]
  /** CPU of the load itself. */
  readonly loadMicros: number
}

export type FromLoad =
  { readonly driven: Driven } | { readonly minted: Minted } | { readonly failed: string }
