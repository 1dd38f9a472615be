/** The house as whoever starts it sees it: its halves, and what they share where they are one process. */
import type { Express } from 'express'
import { faultOf } from './fault.ts'
import type { Chore } from './housekeeping.ts'
import type { BaseFront } from './http/front.ts'
import { createMetrics } from './http/metrics.ts'
import { createRunning } from './http/running.ts'
import { createLine } from './ledger/line.ts'
import type { Slices } from './slices.ts'

export type Shared = ReturnType<typeof createShared>

export function createShared({ log }: Pick<Slices, 'log'>) {
  let isDraining = false
  return {
    line: createLine(),
    running: createRunning(),
    metrics: createMetrics([{ name: 'procura_up', help: 'This process runs', read: () => 1 }]),
    isDraining: () => isDraining,
    drain: () => {
      isDraining = true
    },
    report: (what: string, why: unknown) => {
      log.error({ error: faultOf(why) }, what)
    },
  }
}

/** One half of the house, as whoever starts it sees it. */
export interface Half {
  /** What it does again and again, until the process stops. */
  readonly chores: readonly Chore[]
  /** Before anybody is answered; what it returns ends what was begun, when everybody has been. */
  begin(): Promise<() => Promise<void>>
  /** Lets nobody in any more, and resolves when those who were there have been answered. */
  drain?(unusedMs: number): Promise<void>
}

/** What this process serves, and what it does beside. */
export interface House {
  readonly shared: Shared
  readonly health: BaseFront['health']
  /** @param seen health and metrics as they are told, which may be of more than this process */
  app(seen: Pick<BaseFront, 'health' | 'metrics'>): Express
  /** In the order they begin; they end the other way round. */
  readonly halves: readonly Half[]
}
