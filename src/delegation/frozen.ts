/** Nothing new is handed on while whoever it goes through is frozen, nor by a session that was stopped. */
import type { AgentId, PersonId } from '../domain/ids.ts'
import type { Session } from '../domain/instance.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'
import { chainInvalid } from './shown.ts'

/** @throws BrokerError `frozen`: the sponsor, an agent, the sponsor of an agent, or everything */
export async function refuseFrozen(
  tx: Tx,
  tenant: string,
  { sponsor, agents }: { readonly sponsor: PersonId; readonly agents: readonly AgentId[] },
): Promise<void> {
  const { rows } = await tx.query({
    name: 'delegation_frozen',
    text: `select from procura.freeze
           where tenant = $1 and lifted_at is null and (scope = any ($2::text[]) or scope in (
             select sponsor from procura.agent where tenant = $1 and id = any ($2::text[])))
           limit 1`,
    values: [tenant, ['', sponsor, ...agents]],
  })
  if (rows.length > 0) throw new BrokerError('frozen')
}

/** A session can be stopped alone, with all that its agent rests on as it was. */
export async function refuseStoppedSession(
  tx: Tx,
  tenant: string,
  { jti, delegation }: Pick<Session, 'jti' | 'delegation'>,
): Promise<void> {
  const { rows } = await tx.query({
    name: 'delegation_session_stopped',
    text: `select from procura.stop where tenant = $1 and kind = 'session' and id = $2`,
    values: [tenant, jti],
  })
  if (rows.length === 0) return
  const hop = delegation?.depth ?? 0
  throw chainInvalid({ outcome: 'revoked', hop, detail: 'The session was stopped' })
}
