/** Who has to say yes: asking, answering, and the one use of a yes. */
import type { Pool } from 'pg'
import type { Signer } from '../domain/jws.ts'
import type { Deciding, Ledger } from '../domain/ports.ts'
import { createAnswering, type Answering } from './answering.ts'
import { createAsking } from './asking.ts'
import { createReading, type Reading } from './reading.ts'
import { createUsing } from './using.ts'

export interface ApprovalsOptions {
  readonly tenant: string
  /** People answer through `front`; what is asked and used is the deciding side's. */
  readonly pools: { readonly front: Pool; readonly pdp: Pool }
  /** Of the front. */
  readonly ledger: Ledger
  /** Signs `approval+jwt`. */
  readonly signer: Signer
  /** How old the sign-in of somebody who answers may be, in seconds; `null`: any age. */
  readonly signInAgeMax: number | null
  /** Open approvals of one agent at a time: people are not to be worn down. */
  readonly openMax: number
}

export type Approvals = Deciding['approvals'] & Answering & Reading

export function createApprovals(options: ApprovalsOptions): Approvals {
  const { tenant, pools } = options
  const reading = createReading({ tenant, pool: pools.front })
  return {
    ...createUsing({ tenant, pool: pools.pdp }),
    ...createAsking(options),
    ...reading,
    ...createAnswering({ ...options, ...reading, pool: pools.front }),
  }
}
