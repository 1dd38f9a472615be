/** The delivering side of one broker with targets that faults come upon, and what it leaves on record. */
import { createCdp } from '../../src/delivery/cdp.ts'
import { downstreamName } from '../../src/delivery/claims.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import { newId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { decided } from '../delivery/asked-for.ts'
import { aCollector, aDecision, aSigner, now, WHO } from '../delivery/bench.ts'
import { leaves, spend, stop } from '../delivery/world.ts'
import type { TestDatabase } from '../pg/database.ts'
import { type AllGuarded, aSide } from './side.ts'

export const OPEN = ['minting', 'active', 'revoke_pending']

/** @param owner of a test's own, where others have targets at the same server */
export function aDelivery(db: TestDatabase, guarded: AllGuarded, owner?: string) {
  const [decisions, collector] = [aSigner(), aCollector()]
  const pools = { cdp: db.pool('procura_cdp'), reaper: db.pool('procura_reaper') }
  const { delivering, reaping, call } = aSide(pools, guarded, owner)
  const cdp = createCdp({ ...delivering, decisions })
  const sweeper = createSweeper(reaping)
  let later = 0

  return {
    ...{ reaping, call },
    /** As the story has it; what became of it, in a word. */
    async issue(claims: JsonObject) {
      const signed = await aDecision(decisions, collector.jkt, claims)
      const intent = await cdp.redeem(signed, collector.presented)
      const { lease, downstreamName: name } = intent
      try {
        const made = await cdp.mint(intent)
        await delivering.ledger.record(null, async (tx) => {
          const value = await cdp.activate(tx, intent, made)
          return { entries: [cdp.issuance(intent, made, collector.presented)], value, answer: null }
        })
        return { lease, name, intent, outcome: 'issued' }
      } catch (cause) {
        await cdp.takeBack(intent, cause)
        if (!(cause instanceof BrokerError)) throw cause
        return { lease, name, intent, outcome: cause.code }
      }
    },
    sweepOnce: () => sweeper.sweepOnce(),
    /** Time passes for the sweeper, a quarter of a minute each time. */
    async sweepUntil(isOver: () => Promise<boolean>): Promise<void> {
      for (let round = 0; round < 40; round += 1) {
        await sweeper.sweepOnce(round === 0 ? undefined : new Date(Date.now() + later))
        if (await isOver()) return
        later += 15_000
      }
      throw new Error('it never ended')
    },
    orphans: (target: string) => sweeper.reconcile(target),
  }
}

let epoch = 0

/** Takes it back, after all that was taken back before. */
export async function takeAway(db: TestDatabase, lease: string): Promise<void> {
  epoch += 1
  await stop(db, 'credential', lease, epoch)
}

/** One that was decided, and what it spent is spent. */
export interface Decided {
  readonly lease: Intent['lease']
  readonly decision: Intent['decision']
  readonly target: string
  /** What it will be called there. */
  readonly name: string
  /** What its decision says besides the usual. */
  readonly claims: JsonObject
}

export async function aDecided(
  db: TestDatabase,
  target: string,
  claims: JsonObject,
): Promise<Decided> {
  const [lease, decision] = [newId('crd', now()), newId('dec', now())]
  await decided(db, { lease, decision, target })
  await spend(db, decision)
  const who = {
    ...{ sub: WHO.sponsor, client_id: WHO.agent },
    ...{ instance_id: WHO.instance, consent_id: WHO.consent },
  }
  return {
    ...{ lease, decision, target, name: downstreamName(lease) },
    claims: { ...who, ...claims, target, jti: decision, credential_id: lease },
  }
}

/** Puts the decisions on record as of 80 seconds ago: nobody can redeem them any more. */
export async function decidedLongAgo(
  db: TestDatabase,
  all: readonly { readonly decided: Decided }[],
): Promise<void> {
  const [row] = await db.query<{ next: number }>(
    'select coalesce(max(index) + 1, 0)::int as next from ledger.leaf',
  )
  const first = row?.next ?? 0
  const entries = all.map(({ decided: { decision, target, claims } }, n) => ({
    ...{ event_id: newId('evt', now()), event_type: 'decision', seq: first + n },
    ...{ sponsor_id: WHO.sponsor, subject_kind: 'human', consent_id: WHO.consent },
    recorded_at: new Date(now().getTime() - 80_000).toISOString(),
    ...{ purpose: 'support.refunds', request_id: 'req-7' },
    decision: { id: decision, answer: 'allow', level: 'L1', revocation_epoch: 0 },
    chain: { depth: 0, hops: [{ client_id: WHO.agent, instance_id: WHO.instance, jkt: 'jkt' }] },
    call: {
      ...{ tool: 'payments.refund', tool_hash: 't', target, args_hash: 'a', request_hash: 'r' },
      ttl_seconds: claims['ttl_seconds'] ?? 60,
    },
  }))
  await db.query(`select ledger.append_decided('main', $1, $2::text[])`, [
    first,
    entries.map((entry) => JSON.stringify(entry)),
  ])
}

/** Whether what it spent was given back. */
export async function isGivenBack(db: TestDatabase, { decision }: Decided): Promise<boolean> {
  const [row] = await db.query<{ refunded: boolean }>(
    'select refunded from procura.spent where decision = $1',
    [decision],
  )
  if (row === undefined) throw new Error('nothing was spent')
  return row.refunded
}

/** What is on record of it, in order. */
export async function recordOf(db: TestDatabase, lease: string) {
  return (await leaves(db)).filter((leaf) => JSON.stringify(leaf).includes(lease))
}
