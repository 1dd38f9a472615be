/** A session token that was verified → what it says. Its claims are ours, written in sessions.ts. */
import type { Model } from '../domain/agent.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { Session } from '../domain/instance.ts'
import type { AgentId, ConsentId, InstanceId, PersonId } from '../domain/ids.ts'
import { JwsError, type Read } from '../domain/jws.ts'

/** What `claimsOf` in sessions.ts writes. */
interface Claims {
  readonly sub: PersonId
  readonly client_id: AgentId
  readonly instance_id: InstanceId
  readonly consent_id: ConsentId
  readonly jti: string
  readonly exp: number
  readonly cnf: { readonly jkt: string }
  readonly purpose: string
  readonly authorization_details: readonly [
    { readonly scopes: readonly string[]; readonly constraints: readonly Constraint[] },
  ]
  readonly model?: Model
}
const WRITTEN = ['instance_id', 'consent_id', 'cnf', 'authorization_details', 'purpose']

/** @throws JwsError for a token that our key signed as something else */
export function readSession({ claims, tokenHash }: Read): { session: Session; jkt: string } {
  if (!WRITTEN.every((name) => name in claims)) throw new JwsError('wrong_type')
  const said = claims as unknown as Claims
  const [{ scopes, constraints }] = said.authorization_details
  const session: Session = {
    ...{ agent: said.client_id, instance: said.instance_id, sponsor: said.sub },
    ...{ consent: said.consent_id, jti: said.jti, model: said.model ?? null, tokenHash },
    authority: { scopes, purpose: said.purpose, constraints },
    expiresAt: new Date(said.exp * 1000),
  }
  return { session, jkt: said.cnf.jkt }
}
