/** The delivering side on a database of its own, with a target that remembers. */
import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { createCdp } from '../../src/delivery/cdp.ts'
import { createCredentials } from '../../src/delivery/credentials.ts'
import { jwt } from '../../src/delivery/connectors/jwt.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import { introspect } from '../../src/delivery/minted.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { newId } from '../../src/domain/ids.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import type { Lease } from '../../src/domain/lease.ts'
import { ProvenService } from '../../src/domain/person.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { aFakeTarget } from '../fakes/target.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { decided } from './asked-for.ts'
import { aCollector, aDecision, aSigner, AUDIENCE, decisionClaims, now, WHO } from './bench.ts'

export { now, WHO }

export type World = Awaited<ReturnType<typeof aWorld>>

const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))

export async function aWorld() {
  const db = await freshDatabase()
  await db.query(`insert into procura.epoch values ('main', 'policy', 1)`)
  const [decisions, credentialKeys] = [aSigner(), aSigner()]
  const collector = aCollector()
  const fake = aFakeTarget()
  const kinds = [kindOf(jwt(credentialKeys)), fake.kind]
  const targets = createTargets(kinds, {
    payments: { connector: 'jwt', audience: AUDIENCE } as { connector: string },
    orders: { connector: 'postgres' },
  })
  const troubles: unknown[] = []
  const trouble = (error: unknown) => troubles.push(error)

  /** One delivering process; make two for two replicas. */
  function aReplica(pool = db.pool('procura_cdp')) {
    const ledger = createLog({ tenant: 'main', pool, door: 'append_issued', sealer })
    const options = { tenant: 'main', pool, ledger, targets, trouble }
    const cdp = createCdp({ ...options, decisions })
    const credentials = createCredentials({
      ...{ ...options, credentials: credentialKeys },
      checkProof: ({ proof, jkt }) =>
        proof === `by ${jkt}`
          ? Promise.resolve()
          : Promise.reject(new BrokerError('invalid_dpop_proof')),
    })
    return { cdp, credentials, ledger, pool }
  }
  const aReaper = (pool = db.pool('procura_reaper')) =>
    createLog({ tenant: 'main', pool, door: 'append_issued', sealer })
  function aSweeper(reaped = targets) {
    const pool = db.pool('procura_reaper')
    const ledger = aReaper(pool)
    return createSweeper({ tenant: 'main', pool, ledger, targets: reaped, trouble })
  }
  const one = aReplica()
  return {
    ...{ db, decisions, credentialKeys, collector, fake, targets, troubles },
    ...{ aReplica, aSweeper, aReaper, ...one },
    decision: (of?: JsonObject) => aDecision(decisions, collector.jkt, of),
    claims: (of?: JsonObject) => decisionClaims(collector.jkt, of),
    async redeem(of?: JsonObject) {
      const claims = decisionClaims(collector.jkt, of)
      const named = claims as Record<'jti' | 'credential_id' | 'target', never>
      await decided(db, {
        ...{ decision: named.jti, lease: named.credential_id, target: named.target },
      })
      return await one.cdp.redeem(
        await aDecision(decisions, collector.jkt, claims),
        collector.presented,
      )
    },
    /** As the deciding side answers it. */
    introspect: (service: ProvenService, token: string, pool: Pool = db.pool('procura_front')) =>
      introspect({ tenant: 'main', pool, credentials: credentialKeys }, service, token),
  }
}

/** Where the fake target is meant. */
export const ORDERS = { target: 'orders', connector: 'postgres', permissions: {} }

/** All of one issuance, as the story has it. */
export async function issue(world: World, of: JsonObject = {}): Promise<Issuance> {
  const { cdp, ledger, collector } = world
  const intent = await world.redeem(of)
  try {
    const made = await cdp.mint(intent)
    const { value: lease } = await ledger.record(null, async (tx) => {
      const active = await cdp.activate(tx, intent, made)
      const entries = [cdp.issuance(intent, made, collector.presented)]
      return { entries, value: active, answer: null }
    })
    const { token } = made.credential
    return { lease, intent, token: token instanceof Secret ? token.reveal() : '' }
  } catch (cause) {
    await cdp.takeBack(intent, cause)
    throw cause
  }
}
interface Issuance {
  readonly lease: Lease
  readonly intent: Awaited<ReturnType<World['redeem']>>
  readonly token: string
}

/** What a decision spent, so that it can be given back: one of the consent's calls, and an approval. */
export async function spend(db: TestDatabase, decision: string): Promise<void> {
  await db.query(
    `insert into procura.budget values ('main', $1, 'calls', 'max_subtree', 40, 1)
     on conflict (tenant, account, key, type) do update set used = budget.used + 1`,
    [WHO.consent],
  )
  await db.query(`insert into procura.spent values ('main', $1, $2, 'calls', 'max_subtree', 1)`, [
    decision,
    WHO.consent,
  ])
}
export async function used(db: TestDatabase): Promise<number> {
  const [row] = await db.query<{ used: number }>('select used from procura.budget')
  return row?.used ?? 0
}

export async function stop(db: TestDatabase, kind: string, id: string, epoch = 1): Promise<void> {
  await db.query(`insert into procura.stop values ('main', $1, $2, $3, $4, now())`, [
    ...[kind, id, epoch, newId('rev', now())],
  ])
}

export interface Leaf {
  readonly event_type: string
  readonly reason?: string
  readonly request_id: string
  readonly [member: string]: unknown
}
export async function leaves(db: TestDatabase): Promise<Leaf[]> {
  const rows = await db.query<{ entry: string }>('select entry from ledger.leaf order by index')
  return rows.map(({ entry }) => JSON.parse(entry) as Leaf)
}

export async function stateOf(db: TestDatabase, lease: string) {
  const [row] = await db.query<{ state: string; end_reason: string | null; attempts: number }>(
    'select state, end_reason, attempts from procura.lease where id = $1',
    [lease],
  )
  return row
}

export function anInstance(instance = WHO.instance): ProvenInstance {
  const session = {
    ...{ ...WHO, instance, model: null, jti: 'ses-1', tokenHash: 'hash', expiresAt: now() },
    authority: { scopes: [], purpose: 'support', constraints: [] },
    delegation: null,
  }
  return ProvenInstance.proven(session, 'jkt')
}

export const payments = ProvenService.proven('payments', AUDIENCE, 'hash')
export const another = ProvenService.proven('another', 'https://another.example', 'hash')
