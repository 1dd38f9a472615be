/** Credentials after they were issued: looked at, given back, asked about, spent. */
import type { Pool } from 'pg'
import type { CredentialId, InstanceId } from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { Verifier } from '../domain/jws.ts'
import type { EndReason, Lease, LeaseState } from '../domain/lease.ts'
import type { Meter } from '../domain/meter.ts'
import type { ProvenService } from '../domain/person.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, By } from '../domain/request.ts'
import { within } from './deadline.ts'
import { noteShown } from './decoys.ts'
import { conclude, putOff } from './endings.ts'
import { findLease, type Held, leaseOf } from './leases.ts'
import { type CheckProof, redeemCredential, type Redemption, type Spending } from './spending.ts'
import type { Targets } from './targets.ts'

const REVOKE_MS = 5000

export interface CredentialsOptions {
  readonly tenant: string
  readonly pool: Pool
  readonly ledger: Ledger
  readonly targets: Targets
  /** Verifies what was minted. */
  readonly credentials: Verifier
  readonly checkProof: CheckProof
  readonly meter?: Meter
  readonly trouble?: (error: unknown) => void
}

export interface GivenBack {
  readonly id: CredentialId
  readonly status: LeaseState
  readonly refunded: boolean
  readonly confirmedDeadAt: Date | null
}

export interface Credentials {
  /** @throws BrokerError `not_found` unless it was issued to that instance */
  read(instance: ProvenInstance, id: CredentialId): Promise<Lease>
  /** Ends it at its target; again: the same answer. @throws BrokerError `credential_gone`, `conflict` */
  giveBack(instance: ProvenInstance, id: CredentialId, act: Act): Promise<GivenBack>
  /** Its answer may have reached nobody: it is taken back, if it is not over already. */
  undelivered(id: CredentialId, act: Act): Promise<void>
  redeem(service: ProvenService, spending: Spending, by: By): Promise<Redemption>
}

export function createCredentials(options: CredentialsOptions): Credentials {
  const { tenant, pool } = options

  async function ofInstance(instance: InstanceId, id: CredentialId): Promise<Held> {
    const { held } = await findLease(pool, tenant, id)
    if (held?.intent.instance !== instance) throw new BrokerError('not_found')
    return held
  }

  return {
    async read({ session }, id) {
      return leaseOf(await ofInstance(session.instance, id))
    },

    async giveBack({ session }, id, act) {
      const held = await ofInstance(session.instance, id)
      if (held.state === 'active') await end(options, held, 'returned', act)
      return givenBack(options, await ofInstance(session.instance, id))
    },

    async undelivered(id, act) {
      const { held } = await findLease(pool, tenant, id)
      if (held?.state === 'active') await end(options, held, 'delivery_unknown', act)
    },

    async redeem(service, spending, by) {
      try {
        return await redeemCredential(options, service, spending, by)
      } catch (error) {
        // An outage is no answer, and is not made another one.
        if (!(error instanceof BrokerError && error.code === 'unavailable')) {
          await noteShown(options, spending.token)
        }
        throw error
      }
    },
  }
}

/** Ends a live lease at its target, then on record; where the target does not confirm, the sweeper goes on. */
async function end(
  options: CredentialsOptions,
  { intent }: Held,
  reason: EndReason,
  act: Act,
): Promise<void> {
  const { tenant, pool, ledger, targets, trouble } = options
  const target = targets.get(intent.target)
  const from = ['active'] as const
  try {
    if (target === undefined) throw new Error('no such target')
    await within(REVOKE_MS, (signal) =>
      target.revoke(intent.downstreamName, signal, intent.expiresAt),
    )
  } catch (error) {
    trouble?.(error)
    await putOff(pool, tenant, { lease: intent.lease, reason, from, delayMs: 1000 })
    return
  }
  const isEnforced = target.connector.spending === 'enforced'
  const conclusion = { intent, reason, from, act, found: true, isEnforced }
  if ((await conclude({ tenant, ledger }, conclusion)) === null) return
  options.meter?.count('procura_credentials_ended_total', { reason })
}

function givenBack({ targets }: CredentialsOptions, held: Held): GivenBack {
  const { intent, state, endReason, confirmedDeadAt } = held
  if (endReason !== 'returned') {
    throw new BrokerError(
      state === 'active' || state === 'minting' ? 'conflict' : 'credential_gone',
    )
  }
  const isEnforced = targets.get(intent.target)?.connector.spending === 'enforced'
  const refunded = state === 'returned' && isEnforced
  return { id: intent.lease, status: state, refunded, confirmedDeadAt }
}
