/** Whether a thing was stopped is looked up by its id: that takes as long, however much else was stopped. */
import type { PoolClient, QueryConfig } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ChecksOptions, checkStanding } from '../../src/delegation/reading-checks.ts'
import { rootsOf } from '../../src/delegation/reading-rows.ts'
import { stateQuery } from '../../src/delegation/state.ts'
import { STATUS } from '../../src/delegation/store.ts'
import { HELD_BY, STANDS } from '../../src/delivery/leases.ts'
import type { Agent } from '../../src/domain/agent.ts'
import { Secret } from '../../src/domain/secret.ts'
import { refuseStopped } from '../../src/identity/instances.ts'
import { openPools } from '../../src/pools.ts'
import { createInForce } from '../../src/revocation/in-force.ts'
import { reachOf } from '../../src/revocation/reach.ts'
import { chainOf, delegationOf, insertHop, insertLease, insertRoot } from '../delegation/rows.ts'
import { aDecision, anAgent, aPerson, by, parts, policies, theTerms } from '../fakes/deciding.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { type Done, sentBy, stepsDone } from '../pg/plans.ts'

const STOPS = 4000
/** What a chain of three hops rests on, several times over. */
const READ_MAX = 100

type Side = 'front' | 'pdp' | 'cdp'
/** What the parts ask, and each as whom. */
const asked = new Map<string, { readonly side: Side; readonly query: QueryConfig }>()
const clients = {} as Record<Side, PoolClient>
let pools: ReturnType<typeof openPools>

/** A chain of three with a session and a lease, and all that is asked of its stops. */
async function askOf(db: TestDatabase): Promise<void> {
  const house = parts(db)
  await policies(db)
  const kim = await aPerson(db)
  const sponsor = kim.person.id
  const [desk, team] = [await anAgent(db, sponsor), await anAgent(db, sponsor)]
  const { consent } = await house.consents.give(kim, theTerms(desk), by())
  const root = await insertRoot(db, { consent })
  const hop = await insertHop(db, await insertHop(db, root, { agent: team }), { agent: desk })
  const chain = chainOf(hop)
  const [delegation, lease] = [delegationOf(hop), await insertLease(db, chain)]
  await db.query(
    `insert into procura.session (tenant, jti, consent, agent, instance, delegation, expires_at)
     values ('main', 'jti', $1, $2, 'ins_x', $3, now() + interval '9 min')`,
    [consent.id, desk, delegation],
  )
  const [{ tokenHash, instance }] = root.hops
  if (tokenHash === null || instance === null) throw new Error('a root has a token, and a run')

  const as = (side: Side) => (name: string, query: QueryConfig) => asked.set(name, { side, query })
  const [front, pdp, cdp] = [as('front'), as('pdp'), as('cdp')]
  front('what a session reaches', reachOf('main', 'session', 'jti', null))
  front('what a hop reaches', reachOf('main', 'delegation', delegation, null))
  front('what a root reaches', reachOf('main', 'root', tokenHash, null))
  front('what a run reaches', reachOf('main', 'instance', instance, null))
  front('what a consent reaches', reachOf('main', 'consent', consent.id, null))
  front('what an agent reaches', reachOf('main', 'agent', desk, null))
  front('what a sponsor reaches', reachOf('main', 'sponsor', sponsor, null))
  const agents = hop.hops.map(({ agent }) => agent)
  const keys = hop.hops.map(({ jkt }) => jkt ?? '')
  const hashes = hop.hops.map((it) => it.tokenHash ?? '')
  const chainIs = { consent: consent.id, root: tokenHash, agents, keys, hashes }
  front('what a chain rests on', stateQuery('main', chainIs))
  const ofHop = `select ${STATUS} as it from procura.delegation d where d.tenant = $1 and d.id = $2`
  front('the status of a hop', { text: ofHop, values: ['main', delegation] })
  const ofLease = (it: string) => ({
    text: `select ${it} as it from procura.lease l where l.tenant = $1 and l.id = $2`,
    values: ['main', lease],
  })
  cdp('what holds a lease', ofLease(HELD_BY))
  cdp('whether a lease stands', ofLease(STANDS))
  const options = { tenant: 'main' } as ChecksOptions
  const roots = sentBy((_, pool) => rootsOf({ ...options, pool }, [tokenHash]))
  front('the status of a root', await roots)
  const standing = sentBy((_, pool) => checkStanding({ ...options, pool }, consent, instance))
  front('whether a consent stands', await standing)
  const on = { agent: { id: desk } as Agent, instance, consent: consent.id, sponsor }
  front('what a session would rest on', await sentBy((tx) => refuseStopped(tx, 'main', on)))
  const decision = aDecision(chain)
  pdp('what is in force', await sentBy((tx) => createInForce('main').inForce(tx, decision)))
}

beforeAll(async () => {
  const db = await freshDatabase()
  await askOf(db)
  pools = openPools(new Secret(db.url))
  for (const side of ['front', 'pdp', 'cdp'] as const) {
    clients[side] = await pools[side].connect()
    await clients[side].query('set plan_cache_mode = force_generic_plan')
  }
  // A plan that was made where nothing was stopped is kept; the server is never told how much it is now.
  for (const [name, { side, query }] of asked) await clients[side].query({ ...query, name })
  await db.query(
    `insert into procura.stop (tenant, kind, id, epoch, revocation, at)
     select 'main', (array['sponsor', 'agent', 'delegation', 'session'])[1 + n % 4], 'x-' || n, n,
       'rev_x', now() from generate_series(1, ${String(STOPS)}) n`,
  )
})
afterAll(async () => {
  for (const client of Object.values(clients)) client.release()
  await pools.end()
})

/** How many rows of the stops this looked at. */
function rowsRead(step: Done): number {
  // It has the kind before the id: without the kind it is gone through, and that is not told as rows.
  if (step['Index Name'] === 'stop_pkey' && !step['Index Cond']?.includes('kind')) return Infinity
  if (step['Relation Name'] !== 'stop') return 0
  const { 'Rows Removed by Filter': filtered = 0, 'Rows Removed by Index Recheck': lost = 0 } = step
  return (step['Actual Rows'] + filtered + lost) * step['Actual Loops']
}

it.each(['front', 'pdp', 'cdp'] as const)(
  'reads no stop but its own, asked by the %s',
  async (side) => {
    const ours = [...asked].filter(([, it]) => it.side === side)
    expect(ours.length).toBeGreaterThan(0)
    for (const [name, { query }] of ours) {
      const steps = await stepsDone(clients[side], name, query)
      const looks = steps.filter((step) => step['Relation Name'] === 'stop')
      expect
        .soft(
          looks.some((look) => look['Actual Loops'] > 0),
          name,
        )
        .toBe(true)
      const read = steps.reduce((sum, step) => sum + rowsRead(step), 0)
      expect.soft(read, name).toBeLessThan(READ_MAX)
    }
  },
)
