/** What a session says: its claims as they are signed, and a session that was verified read back. */
import type { Model } from '../domain/agent.ts'
import { actOf, chainClaim, type Path } from '../domain/chain.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { Session } from '../domain/instance.ts'
import type { AgentId, ConsentId, DelegationId, InstanceId, PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { JwsError, type Read } from '../domain/jws.ts'

/** What `claimsOf` writes. */
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
  /** There below depth 0 only. */
  readonly chain?: {
    readonly depth: number
    readonly leaf: string
    readonly delegation_id: DelegationId
  }
}
const WRITTEN = ['instance_id', 'consent_id', 'cnf', 'authorization_details', 'purpose']

/** @throws JwsError for a token that our key signed as something else */
export function readSession({ claims, tokenHash }: Read): { session: Session; jkt: string } {
  if (!WRITTEN.every((name) => name in claims)) throw new JwsError('wrong_type')
  const said = claims as unknown as Claims
  const [{ scopes, constraints }] = said.authorization_details
  const { chain } = said
  const session: Session = {
    ...{ agent: said.client_id, instance: said.instance_id, sponsor: said.sub },
    ...{ consent: said.consent_id, jti: said.jti, model: said.model ?? null, tokenHash },
    delegation: chain ? { id: chain.delegation_id, depth: chain.depth, leaf: chain.leaf } : null,
    authority: { scopes, purpose: said.purpose, constraints },
    expiresAt: new Date(said.exp * 1000),
  }
  return { session, jkt: said.cnf.jkt }
}

/** What a session is made from. */
export interface Claiming {
  readonly sponsor: PersonId
  readonly consent: ConsentId
  readonly agent: AgentId
  readonly instance: InstanceId
  readonly jkt: string
  readonly model: Model | null
  readonly jti: string
  /** Seconds. */
  readonly iat: number
  readonly exp: number
  readonly path: Path
}

/** As they are signed; `iss` and `aud` are added there. */
export function claimsOf(issuer: string, of: Claiming): JsonObject {
  const { scopes, constraints, purpose } = of.path.effective
  const bounds = constraints.map((bound) => ({ ...bound })) as JsonObject[]
  const { iat, exp, jti, jkt, model, path } = of
  const chain = chainClaim(path)
  return {
    ...{ sub: of.sponsor, client_id: of.agent, iat, exp, jti, cnf: { jkt } },
    act: actOf(path.hops, issuer),
    ...{ purpose, consent_id: of.consent, instance_id: of.instance },
    authorization_details: [{ type: 'agent_delegation', scopes: [...scopes], constraints: bounds }],
    ...(model && { model: { ...model } }),
    ...(chain && { chain }),
  }
}
