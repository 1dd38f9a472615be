/** What the parts are made from; each is handed its slice, never the whole. */
import type { Config } from './config.ts'
import type { Clock } from './domain/clock.ts'
import type { Log } from './http/front.ts'
import type { CdpKeys, PdpKeys } from './side-keys.ts'
import type { CdpPools, PdpPools } from './pools.ts'
import type { OpenToken } from './token.ts'

export interface Slices {
  readonly config: Config
  readonly issuer: string
  readonly log: Log
  readonly clock: Clock
  /** `null`: there is none. */
  readonly token: OpenToken | null
}

/** Of the deciding side: nothing that opens a target's credentials, or makes one. */
export interface PdpSlices extends Slices {
  readonly keys: PdpKeys
  readonly pools: PdpPools
  readonly contract: string
}

/** Of the delivering side: nothing that signs decisions, sessions or the log. */
export interface CdpSlices extends Slices {
  readonly keys: CdpKeys
  readonly pools: CdpPools
}
