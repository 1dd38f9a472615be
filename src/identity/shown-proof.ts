/** A DPoP proof that an agent showed a target, handed on to us for checking. */
import type { Pool } from 'pg'
import type { Clock } from '../domain/clock.ts'
import { checkProof, useUp } from './dpop.ts'
import { createReplayStore } from './replay.ts'

export interface ShownProof {
  readonly proof: string
  readonly htm: string
  /** The target's own address, as the target knows it. */
  readonly htu: string
  /** What the proof was shown with, and the key that it is bound to. */
  readonly token: string
  readonly jkt: string
  /** The request that it is looked at for, which may come again; `null` where it has no name. */
  readonly usedBy: string | null
}

interface Options {
  readonly tenant: string
  readonly pool: Pool
  readonly clock: Clock
}

/** @throws BrokerError `invalid_dpop_proof`, also for a proof that another request used before */
export function createShownProofs({ tenant, pool, clock }: Options) {
  const replay = createReplayStore({ tenant, pool })
  return async ({ proof, htm, htu, token, jkt, usedBy }: ShownProof): Promise<void> => {
    const checked = checkProof(proof, {
      ...{ method: htm, url: htu, session: { token, jkt } },
      // The target has the call's body; what it says of it is `args_hash`, which is compared.
      ...{ body: new Uint8Array(), isBodyBound: false, nonces: null, now: clock() },
    })
    await useUp(replay, checked, usedBy)
  }
}
