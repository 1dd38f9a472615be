/** Roots and hops as rows, for what only has to find them there. Nothing in them was signed. */
import { randomBytes } from 'node:crypto'
import type { Chain, Hop, Standing } from '../../src/domain/chain.ts'
import { authorityOf } from '../../src/domain/consent.ts'
import { sha256 } from '../../src/domain/digest.ts'
import { type AgentId, type DelegationId, type InstanceId, newId } from '../../src/domain/ids.ts'
import type { TestDatabase } from '../pg/database.ts'

const TENANT = 'main'

type Rows = Pick<TestDatabase, 'query'>

/** A token of a chain, with all that stands above it. */
export interface Row {
  readonly standing: Pick<Standing, 'consent'>
  readonly hops: readonly [Hop, ...Hop[]]
}

interface Holder {
  readonly agent: AgentId
  /** Left out where no run of it has shown itself. */
  readonly instance?: InstanceId
  readonly jkt?: string
}
interface Run {
  readonly agent: AgentId
  readonly instance: InstanceId
  readonly jkt: string
}

const fresh = () => sha256(randomBytes(16))
const inAnHour = () => new Date(Date.now() + 3_600_000)

function hopOf(
  { consent }: Row['standing'],
  { agent, instance, jkt }: Holder,
  at: Pick<Hop, 'depth' | 'delegation'>,
): Hop {
  return {
    ...{ ...at, agent, instance: instance ?? null, jkt: jkt ?? fresh(), tokenHash: fresh() },
    ...{ purpose: consent.terms.purpose, expiresAt: inAnHour(), model: null },
  }
}

export async function insertInstance(db: Rows, { agent, instance, jkt }: Run): Promise<void> {
  await db.query(
    `insert into procura.instance (tenant, id, agent, jkt, first_seen)
     values ($1, $2, $3, $4, now()) on conflict do nothing`,
    [TENANT, instance, agent, jkt],
  )
}

/** Of a run of the consenting agent. */
export async function insertRoot(
  db: Rows,
  standing: Row['standing'],
  holder: Partial<Run> = {},
): Promise<Row> {
  const { consent } = standing
  const { agent } = consent.terms
  const run = { agent, instance: newId('ins', new Date()), jkt: fresh(), ...holder }
  const root = hopOf(standing, run, { depth: 0, delegation: null })
  await insertInstance(db, run)
  await db.query(
    `insert into procura.root (tenant, token_hash, jti, consent, sponsor, agent, instance, jkt,
       issued_at, expires_at, event_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, now(), $9, 'evt_x')`,
    [
      ...[TENANT, root.tokenHash, fresh(), consent.id, consent.sponsor, agent, run.instance],
      ...[run.jkt, root.expiresAt],
    ],
  )
  return { standing, hops: [root] }
}

export async function insertHop(db: Rows, above: Row, holder: Holder): Promise<Row> {
  const { standing } = above
  const { consent } = standing
  const delegation: DelegationId = newId('dlg', new Date())
  const hop = hopOf(standing, holder, { depth: above.hops.length, delegation })
  const hops = [...above.hops, hop] as const
  await db.query(
    `insert into procura.delegation (tenant, id, token_hash, depth, root, parent, consent, sponsor,
       agent, jkt, purpose, effective, hops, accounts, path, agents, keys, registered_at,
       expires_at, event_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, '[]', $14, $15, $16, now(),
       $17, 'evt_x')`,
    [
      ...[TENANT, delegation, hop.tokenHash, hop.depth, above.hops[0].tokenHash],
      ...[above.hops.at(-1)?.tokenHash, consent.id, consent.sponsor, hop.agent, hop.jkt],
      ...[hop.purpose, authorityOf(consent.terms), JSON.stringify(hops)],
      hops.flatMap((it) => (it.delegation === null ? [] : [it.delegation])),
      ...[hops.map((it) => it.agent), hops.map((it) => it.jkt)],
      hop.expiresAt,
    ],
  )
  return { standing, hops: [above.hops[0], ...hops.slice(1)] }
}

/** The chain of a session of whoever received it. */
export function chainOf({ standing, hops }: Row, session: string = fresh()): Chain {
  const { consent } = standing
  const effective = authorityOf(consent.terms)
  const accounts = [{ id: consent.id, bounds: effective.constraints }]
  const read = { sponsorGroups: [], readAt: new Date() }
  return { consent, ...read, hops, effective, accounts, session }
}

export function delegationOf({ hops }: Pick<Row, 'hops'>): DelegationId {
  const id = hops.at(-1)?.delegation
  if (id == null) throw new Error('a root is no hop')
  return id
}

export interface LeaseRow {
  readonly state?: string
  readonly tool?: string
  readonly target?: string
  readonly connector?: string
}

/** A live lease, as the delivering side would have left it; its id. */
export async function insertLease(
  db: Rows,
  { consent, hops }: Pick<Chain, 'consent' | 'hops'>,
  { state = 'active', tool = 'crm.read', target = 'crm', connector = 'jwt' }: LeaseRow = {},
): Promise<string> {
  const leaf = hops.at(-1) ?? hops[0]
  const [lease, decision] = [newId('crd', new Date()), newId('dec', new Date())]
  const downstreamName = `cb_${lease.slice(-26).replace(/[0189]/g, 'a')}`
  const jkt = leaf.jkt ?? fresh()
  const { sponsor } = consent
  const intent = {
    ...{ lease, decision, downstreamName, connector, target, tool, sponsor, jkt },
    ...{ agent: leaf.agent, consent: consent.id, delegation: leaf.delegation },
    ...{ requestId: 'rows', eventId: 'evt_x' },
  }
  await db.query(
    `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
       audience, sponsor, agent, instance, consent, delegation, jkt, intent, revocation_epoch, issued_at,
       expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, 'https://payments.example', $8, $9, $10, $11, $12, $13, $14,
       0, now(), now() + interval '1 hour')`,
    [
      ...[TENANT, lease, decision, state, connector, target, downstreamName, sponsor, leaf.agent],
      ...[leaf.instance ?? 'ins_unknown', consent.id, leaf.delegation, jkt, JSON.stringify(intent)],
    ],
  )
  return lease
}
