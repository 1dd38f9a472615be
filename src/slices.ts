/** What the parts are made from; each is handed its slice, never the whole. */
import type { Config } from './config.ts'
import type { Clock } from './domain/clock.ts'
import type { Log } from './http/front.ts'
import type { Keys } from './keys.ts'
import type { Pools } from './pools.ts'

export interface Slices {
  readonly config: Config
  readonly issuer: string
  readonly keys: Keys
  readonly pools: Pools
  readonly log: Log
  readonly clock: Clock
  readonly contract: string
}
