/** A lease is spent on a call before it is sent; what came of the call is put on record after. */
import type { Proxied } from '../../domain/entry.ts'
import type { CredentialId } from '../../domain/ids.ts'
import type { ProvenInstance } from '../../domain/instance.ts'
import type { Intent } from '../../domain/lease.ts'
import type { Meter } from '../../domain/meter.ts'
import type { Ledger } from '../../domain/ports.ts'
import { BrokerError } from '../../domain/problems.ts'
import type { Act } from '../../domain/request.ts'
import type { Tx } from '../../domain/tx.ts'
import { COLUMNS, heldOf, type Row, STANDS } from '../leases.ts'
import type { Secrets } from '../seal.ts'

export interface Recording {
  readonly tenant: string
  readonly ledger: Ledger
  readonly meter?: Meter
  readonly trouble?: (error: unknown) => void
}

const ABOUT_TO_BE_SENT: Proxied = { observed: 'unknown', upstream: null, reason: null }

/**
 * Opens the secret of the target and lets it go again: what cannot be opened is told before anything is
 * spent.
 *
 * @throws BrokerError `unavailable` where its key, or the database, is away; `downstream_failed` with
 *   `no_secret` where an operator has to act
 */
export async function checkSecret(
  secrets: Secrets,
  { target, downstreamName }: Pick<Intent, 'target' | 'downstreamName'>,
): Promise<void> {
  try {
    await secrets.use(target, () => Promise.resolve(), downstreamName)
  } catch (cause) {
    if (cause instanceof BrokerError) throw cause
    const detail = 'The secret of the target is not there, or does not open'
    const fix = `Have an operator store it: procura target secret ${target}`
    const shown = { reason: 'no_secret', detail, fix }
    throw new BrokerError('downstream_failed', { cause, shown })
  }
}

/**
 * Of many at once, one succeeds.
 *
 * @throws BrokerError `credential_gone` when it is over, stopped or frozen
 */
export async function spendOnCall(
  { tenant, ledger }: Recording,
  instance: ProvenInstance,
  lease: CredentialId,
  act: Act,
): Promise<void> {
  await ledger.record(null, async (tx) => {
    const intent = await spend(tx, tenant, instance, lease)
    const usage = { type: 'usage', act, intent, source: 'proxy', call: ABOUT_TO_BE_SENT } as const
    return { entries: [usage], value: null, answer: null }
  })
}

async function spend(
  tx: Tx,
  tenant: string,
  { session, jkt }: ProvenInstance,
  lease: CredentialId,
): Promise<Intent> {
  await tx.begun
  const { rows } = await tx.query<Row>({
    name: 'lease_spend_on_call',
    text: `update procura.lease l
      set state = 'redeemed', end_reason = 'redeemed', ended_at = $5, updated_at = $5
      where l.tenant = $1 and l.id = $2 and l.instance = $3 and l.jkt = $4
        and l.connector in ('http', 'postgres-exact') and l.state = 'active' and l.expires_at > $5
        and ${STANDS}
      returning ${COLUMNS}`,
    values: [tenant, lease, session.instance, jkt, tx.now],
  })
  if (rows[0] === undefined) throw new BrokerError('credential_gone')
  return heldOf(rows[0]).intent
}

/** Never throws: the call is over, and its caller has been answered. What is not on record is reported. */
export async function recordOutcome(
  { ledger, meter, trouble }: Recording,
  intent: Intent,
  act: Act,
  call: Proxied,
): Promise<void> {
  meter?.count('procura_proxied_calls_total', { outcome: call.reason ?? call.upstream ?? 'none' })
  try {
    await ledger.record(null, () => {
      const usage = { type: 'usage', act, intent, source: 'proxy', call } as const
      return Promise.resolve({ entries: [usage], value: null, answer: null })
    })
  } catch (error) {
    trouble?.(error)
  }
}
