/** A credential is spent: by the target it names, for the call it names, once. */
import { digestOf } from '../domain/digest.ts'
import { type CredentialId, type DecisionId, newId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Verifier } from '../domain/jws.ts'
import type { Intent } from '../domain/lease.ts'
import type { ProvenService } from '../domain/person.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { By } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { COLUMNS, heldOf, type Row, STANDS } from './leases.ts'
import { type MintedToken, readMinted } from './minted.ts'

export interface Spending {
  readonly token: string
  readonly tool: string
  readonly argsHash: string
  /** The agent's proof to the target; `null`: the target says that it has checked it. */
  readonly dpop: { readonly proof: string; readonly htm: string; readonly htu: string } | null
}

export interface Redemption {
  readonly credential: CredentialId
  readonly redeemedAt: Date
  readonly tool: string
  readonly argsHash: string
  readonly purpose: string
  readonly sub: string
  readonly clientId: string
  readonly act: JsonObject
  readonly decision: DecisionId
  readonly expiresAt: Date
  readonly eventId: string
  /** The key has done this before, and it was not done again. */
  readonly isRepeat: boolean
}

export interface SpendingOptions {
  readonly tenant: string
  readonly ledger: Ledger
  readonly credentials: Verifier
  readonly checkProof: CheckProof
}

/**
 * The proof that an agent showed a target: made by the key with this thumbprint, for that method and
 * address, with that token, now, and not seen before but in the request `usedBy`, which may come again.
 *
 * @throws BrokerError `invalid_dpop_proof`
 */
export type CheckProof = (shown: {
  readonly proof: string
  readonly htm: string
  readonly htu: string
  readonly token: string
  readonly jkt: string
  readonly usedBy: string | null
}) => Promise<void>

/**
 * Of many at once, one succeeds. A call other than the one that was allowed spends nothing.
 *
 * @throws BrokerError `not_found`, `args_mismatch`, `invalid_dpop_proof`, `already_redeemed`, `credential_gone`
 */
export async function redeemCredential(
  { tenant, ledger, credentials, checkProof }: SpendingOptions,
  service: ProvenService,
  { token, tool, argsHash, dpop }: Spending,
  { act, key }: By,
): Promise<Redemption> {
  const earlier = await ledger.find(key)
  if (earlier) return recalled(earlier)

  const minted = readMinted(credentials, service, token)
  if (minted === null) throw new BrokerError('not_found')
  if (minted.tool !== tool || minted.argsHash !== argsHash) throw new BrokerError('args_mismatch')
  const usedBy = key && digestOf({ ...key })
  if (dpop) await checkProof({ ...dpop, token, jkt: minted.jkt, usedBy })

  const recorded = await ledger.record(key, async (tx) => {
    const intent = await spend(tx, tenant, service, minted)
    const eventId = newId('evt', tx.now)
    const value: Redemption = {
      ...{ credential: intent.lease, redeemedAt: tx.now, tool, argsHash, purpose: intent.purpose },
      ...{ sub: intent.sponsor, clientId: intent.agent, act: intent.act },
      ...{ decision: intent.decision, expiresAt: intent.expiresAt, eventId, isRepeat: false },
    }
    const usage = { type: 'usage', act, eventId, intent, source: 'redemption' } as const
    return { entries: [usage], value, answer: remembered(value) }
  })
  return recorded.value
}

async function spend(
  tx: Tx,
  tenant: string,
  { audience }: ProvenService,
  { id, expiresAt }: MintedToken,
): Promise<Intent> {
  await tx.begun
  const { rows } = await tx.query<Row>({
    name: 'lease_spend',
    text: `update procura.lease l
      set state = 'redeemed', end_reason = 'redeemed', ended_at = $4, updated_at = $4
      where l.tenant = $1 and l.id = $2 and l.audience = $3 and l.state = 'active'
        and least(l.expires_at, $5) > $4
        and ${STANDS}
      returning ${COLUMNS}`,
    values: [tenant, id, audience, tx.now, expiresAt],
  })
  if (rows[0]) return heldOf(rows[0]).intent
  const { rows: found } = await tx.query<{ state: string }>(
    'select state from procura.lease where tenant = $1 and id = $2 and audience = $3',
    [tenant, id, audience],
  )
  // Of no lease, and well signed for this very audience: that looks like one that is over.
  throw new BrokerError(found[0]?.state === 'redeemed' ? 'already_redeemed' : 'credential_gone')
}

function remembered({ redeemedAt, expiresAt, ...redemption }: Redemption): JsonObject {
  return {
    ...redemption,
    ...{ redeemedAt: redeemedAt.toISOString(), expiresAt: expiresAt.toISOString() },
  }
}

/** As it was kept: our own row, written by `remembered`. */
function recalled(answer: JsonObject): Redemption {
  const kept = answer as unknown as Redemption
  return {
    ...kept,
    ...{ redeemedAt: new Date(kept.redeemedAt), expiresAt: new Date(kept.expiresAt) },
    isRepeat: true,
  }
}
