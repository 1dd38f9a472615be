/** A lease, and the decision that it rests on, as the database has them when a secret is asked for. */
import { downstreamName } from '../../src/delivery/claims.ts'
import { type CredentialId, newId } from '../../src/domain/ids.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { now, WHO } from './bench.ts'

/** Whoever runs statements: the superuser, or an attacker with a role. */
interface Asks {
  readonly query: (sql: string, params?: readonly unknown[]) => Promise<unknown>
}

export interface Asked {
  readonly tenant?: string
  /** Where the allow is for; the lease's target where it is left out. */
  readonly allowedAt?: string | null
  readonly answer?: 'allow' | 'deny' | 'none'
  /** `null`: a gateway asked, for whoever calls it. */
  readonly instance?: null
  /** Of the lease that the decision is about; this one where it is left out. */
  readonly credential?: CredentialId
  readonly state?: 'minting' | 'active' | 'revoke_pending' | 'expired'
  readonly endedAt?: Date
  readonly decidedAt?: Date
  /** Who writes the decision down, if anybody. */
  readonly decides?: Asks | null
}

/** The name of the lease at its target. */
export async function askedFor(db: Asks, target: string, of: Asked = {}): Promise<string> {
  const { tenant = 'main', allowedAt = target, answer = 'allow', state = 'minting' } = of
  const { decides = db, endedAt = null } = of
  const [lease, decision] = [newId('crd', now()), newId('dec', now())]
  const name = downstreamName(lease)
  if (decides) {
    const { credential = lease, instance = WHO.instance, decidedAt = now() } = of
    const made = { tenant, answer, instance, decision, at: decidedAt }
    await decided(decides, { ...made, target: allowedAt, lease: credential })
  }
  await db.query(
    `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
       sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at, ended_at)
     values ($1, $2, $3, $4, 'postgres', $5, $6, $7, $8, $9, $10, 'jkt', '{}', 0, now(),
       now() + interval '60 s', $11)`,
    [
      ...[tenant, lease, decision, state, target, name],
      ...[WHO.sponsor, WHO.agent, WHO.instance, WHO.consent, endedAt],
    ],
  )
  return name
}

/** As whoever decides writes it down, before anybody redeems it. */
export async function decided(
  db: Asks,
  of: Pick<Intent, 'lease' | 'decision'> & {
    readonly target: string | null
    readonly tenant?: string
    readonly answer?: string
    readonly instance?: string | null
    readonly at?: Date
  },
): Promise<void> {
  const { tenant = 'main', answer = 'allow', lease, decision, target } = of
  const { instance = WHO.instance, at = now() } = of
  await db.query(
    `insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance, consent,
       credential, target, event_id)
     values ($1, $2, $11, 'native', $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing`,
    [
      ...[tenant, decision, answer, WHO.sponsor, WHO.agent, instance, WHO.consent],
      ...[lease, target, newId('evt', now()), at],
    ],
  )
}
