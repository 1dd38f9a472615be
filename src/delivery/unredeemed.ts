/** Decisions that nobody redeemed: a process died, or was cut off, between deciding and delivering. */
import type { Spent } from '../domain/decision.ts'
import type { CredentialId, DecisionId } from '../domain/ids.ts'
import { type JsonObject, parseTrusted } from '../domain/json.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'

const MOST = 100

interface GivenUp {
  readonly decision: DecisionId
  readonly credential: CredentialId
  /** Of the decision, as it is in the log. */
  readonly entry: string
  readonly refunds: readonly (Omit<Spent, 'limit' | 'usedAfter'> & {
    readonly bound: number
    readonly used_after: number
  })[]
}

/**
 * Gives up those that are too old to be redeemed: on record, with what they spent given back. The
 * database finds them, and judges by its own clock; it lets none be given up twice.
 *
 * @returns how many
 */
export async function giveUpUnredeemed(tenant: string, ledger: Ledger): Promise<number> {
  const { value } = await ledger.record(null, async (tx) => {
    const { rows } = await tx.query<GivenUp>({
      name: 'give_up_unredeemed',
      text: `select decision, credential, entry, refunds from procura.give_up_unredeemed($1, $2)`,
      values: [tenant, MOST],
    })
    const entries = rows.map(({ decision, credential, entry, refunds }) => ({
      ...({ type: 'issuance_failed', act: bySystem('unredeemed') } as const),
      unredeemed: { decision, credential, decided: parseTrusted(entry) as JsonObject },
      refunded: refunds.map(({ bound, used_after, ...spent }) => ({
        ...{ ...spent, limit: bound, usedAfter: used_after },
      })),
    }))
    return { entries, value: rows.length, answer: null }
  })
  return value
}
