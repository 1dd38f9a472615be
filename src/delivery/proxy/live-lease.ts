/** The lease that a call is made for: of whoever makes it, and alive. */
import type { Pool } from 'pg'
import type { CredentialId } from '../../domain/ids.ts'
import type { ProvenInstance } from '../../domain/instance.ts'
import type { Intent } from '../../domain/lease.ts'
import { BrokerError } from '../../domain/problems.ts'
import { noteCalled } from '../decoys.ts'
import { findLease } from '../leases.ts'

export interface LiveLease {
  readonly intent: Intent
  /** How long it lasts. */
  readonly leftMs: number
}

/** @throws BrokerError `not_found` for what is another's, `credential_gone` for what is over */
export async function liveLease(
  { pool, tenant }: { readonly pool: Pool; readonly tenant: string },
  { session, jkt }: ProvenInstance,
  lease: CredentialId,
): Promise<LiveLease> {
  const { held, now } = await findLease(pool, tenant, lease)
  const isTheirs = held?.intent.instance === session.instance && held.intent.jkt === jkt
  if (!isTheirs || held.intent.senderConstraint !== 'proxy') {
    // Also for what is another's: the time it takes does not tell that from nothing.
    await noteCalled({ pool, tenant }, lease, session.agent)
    throw new BrokerError('not_found')
  }
  const { intent, state } = held
  const leftMs = intent.expiresAt.getTime() - now.getTime()
  if (state !== 'active' || leftMs <= 0) throw new BrokerError('credential_gone')
  return { intent, leftMs }
}
