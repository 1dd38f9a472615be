/** One of the replicas that have their policies from the same database. */
import { randomBytes } from 'node:crypto'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import type { Every } from '../../src/policy/every.ts'
import { createPdp } from '../../src/policy/pdp.ts'
import type { PolicyEvaluator } from '../../src/policy/publish.ts'
import type { TestDatabase } from '../pg/database.ts'
import { aSigner } from './world.ts'

const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))

/** Its timers are turned by hand: `tick` does at once what they would do in time. */
export async function replica(db: TestDatabase, evaluator: PolicyEvaluator = 'compiled') {
  const works: (() => Promise<void>)[] = []
  const every: Every = (_ms, work) => {
    works.push(work)
    return () => works.splice(works.indexOf(work), 1)
  }
  const reports: string[] = []
  const pool = db.pool('procura_front')
  const log = createLog({ tenant: 'main', pool, door: 'append_registered', sealer })
  let turns = 0
  const pdp = await createPdp({
    tenant: 'main',
    pool: db.pool('procura_pdp'),
    ledger: {
      record(key, work) {
        turns += 1
        return log.record(key, work)
      },
    },
    signer: aSigner(),
    ...{ every, evaluator },
    report: (what, why) => reports.push(`${what}: ${why instanceof Error ? why.message : ''}`),
  })
  const tick = async () => {
    for (const work of works) await work()
  }
  return { pdp, tick, reports, turns: () => turns }
}
export type Replica = Awaited<ReturnType<typeof replica>>
