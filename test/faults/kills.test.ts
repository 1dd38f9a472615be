/**
 * SIGKILL × every connector: of the process that delivers, at each step; of the target, around what is
 * asked of it. Whoever goes on finds all of it, ends all of it, and tells of none what nobody knows.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { within } from '../../src/delivery/deadline.ts'
import { CONNECTORS } from '../../src/domain/lease.ts'
import { stateOf, WHO } from '../delivery/world.ts'
import { whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { decidedLongAgo, isGivenBack, recordOf, takeAway } from './delivering.ts'
import { type Kind, ofExact, ofHttp, ofJwt, ofVictim } from './kinds.ts'
import { createLanes, type Lane, nameOf } from './lanes.ts'
import { aMatrix } from './matrix.ts'
import { FAILED, type Moment, MOMENTS, ROUNDS, STOPPED } from './rounds.ts'
import { allVictims, type Victim } from './victims.ts'

let db: TestDatabase
let kinds: readonly Kind[]
let lanesFor: ReturnType<typeof createLanes>
let victims: readonly Victim[]
let http: Awaited<ReturnType<typeof ofHttp>>
let exact: Awaited<ReturnType<typeof ofExact>>
let postgres: Awaited<ReturnType<typeof allVictims>>

beforeAll(async () => {
  db = await freshDatabase()
  await db.query(`insert into procura.epoch values ('main', 'policy', 1)`)
  const budget = `insert into procura.budget values ('main', $1, 'calls', 'max_subtree', 1000, 0)`
  await db.query(budget, [WHO.consent])
  postgres = await allVictims()
  ;({ victims } = postgres)
  ;[http, exact] = await Promise.all([ofHttp(), ofExact(postgres.at)])
  kinds = [...victims.map(ofVictim), ofJwt(), http, exact.kind]
  lanesFor = createLanes(db, kinds)
}, 120_000)

const { tell, print } = aMatrix('killed', [
  ...['postgres', 'vault', ...(whyNoCephRgw === null ? ['aws-sts'] : [])],
  ...['jwt', 'http', 'postgres-exact'],
])
afterAll(async () => {
  print()
  await lanesFor.end()
})

const typesOf = async ({ decided }: Lane) =>
  (await recordOf(db, decided.lease)).map(({ event_type }) => event_type)

const rowsAbove = async (least: number) => {
  const sql = 'select id from orders where id > $1 order by id'
  return (await postgres.at.db.query(sql, [least])).map(({ id }) => id)
}

/** One may take ten minutes; after that its login is nobody's. */
const statementsAreOver = () =>
  db.query(`update procura.lease set ended_at = ended_at - interval '12 min'
            where state = 'redeemed'`)

it('leaves no connector out but the one that cannot be run here', () => {
  const here = new Set(kinds.map(nameOf))
  const missing = CONNECTORS.filter((name) => !here.has(name))
  expect(missing).toEqual(whyNoCephRgw === null ? [] : ['aws-sts'])
})

describe('a process that delivers by every connector at once, killed', () => {
  it.each(ROUNDS)(
    '$fault at $step: nothing works that has no row, and in the end nothing at all',
    async (round) => {
      const { step, holds, state } = round
      const lanes = await Promise.all(
        kinds.flatMap((kind) =>
          (holds === undefined ? [null] : kind[holds]).map((words) => lanesFor.aLane(kind, words)),
        ),
      )
      const { shown, deliver } = await lanesFor.killedAt(lanes, round)
      if (!round.isLate) await deliver()
      const isAlive = ({ kind, decided: { name, lease } }: Lane) =>
        kind.isAlive(name, shown.get(lease))
      for (const lane of lanes) {
        expect((await stateOf(db, lane.decided.lease))?.state).toBe(state)
        if (round.isAlive && lane.kind.isMadeThere) expect(await isAlive(lane)).toBe(true)
      }

      const isUnredeemed = state === undefined
      if (isUnredeemed) await decidedLongAgo(db, lanes)
      await lanesFor.goneOn(lanes)
      if (round.isLate) {
        await deliver()
        // What can be used does not come of it: at most a role of vault, which nobody has a token of.
        const found = await lanesFor.orphans()
        const roles = lanes.filter(({ kind }) => nameOf(kind) === 'vault')
        expect(roles.map(({ decided }) => decided.name)).toEqual(expect.arrayContaining(found))
      }
      for (const lane of lanes) {
        const [name, types] = [nameOf(lane.kind), await typesOf(lane)]
        expect(types, name).toEqual(round.types)
        const isBack = await isGivenBack(db, lane.decided)
        expect(isBack, name).toBe(round.isGivenBack(lane.kind) ?? isBack)
        // Of what was never redeemed nobody was ever asked: there is nothing to be looked for.
        if (!isUnredeemed) expect(await isAlive(lane), name).toBe(false)
        tell(step, name, [...types, ...(isBack ? ['given back'] : [])])
      }
      expect(await lanesFor.orphans()).toEqual([])
    },
    60_000,
  )

  it('in the middle of calls: what came of them is told as unknown, and they are used', async () => {
    const lanes = await Promise.all(
      kinds.flatMap((kind) => kind.calls.map((calling) => lanesFor.aCallingLane(kind, calling))),
    )
    const { deliver } = await lanesFor.killedAt(lanes, { standAt: null })
    await deliver()
    // They have had their effect, but for the one whose login was only just asked for.
    expect(http.seen().sort()).toEqual(['/v1/things/answered', '/v1/things/asked'])
    expect(await rowsAbove(100)).toEqual([102, 103, 104])

    await statementsAreOver()
    expect(await lanesFor.orphans()).toHaveLength(3)
    for (const { kind, decided, hold } of lanes) {
      const name = nameOf(kind)
      expect((await stateOf(db, decided.lease))?.state, name).toBe('redeemed')
      expect(await recordOf(db, decided.lease), name).toMatchObject([
        { event_type: 'issuance' },
        { event_type: 'usage', effect: { observed: 'unknown', agreement: 'indeterminate' } },
      ])
      expect(await isGivenBack(db, decided), name).toBe(false)
      expect(await kind.isAlive(decided.name), name).toBe(false)
      tell(`a call that was ${hold?.when ?? ''}`, name, ['issuance', 'usage: unknown'])
    }
  }, 60_000)
})

describe('a target that is killed, and is there again', () => {
  it.each(MOMENTS)(
    '[F49] $step: nothing that it made is left, and the record has what fits',
    async ({ step, ask, when }) => {
      const broker = lanesFor.aBroker()
      const asked = kinds.filter(({ isMadeThere }) => isMadeThere)
      const lanes = await Promise.all(asked.map((kind) => lanesFor.aLane(kind)))
      let outcomes: string[] = []
      const issue = async () => {
        const issued = await Promise.all(lanes.map(({ decided }) => broker.issue(decided.claims)))
        outcomes = issued.map(({ outcome }) => outcome)
      }
      const isEnding = ask === 'endsIt'
      if (isEnding) await issue()
      for (const { decided } of isEnding ? lanes : []) await takeAway(db, decided.lease)
      await dying(isEnding ? () => broker.sweepOnce() : issue, { ask, when })
      await lanesFor.goneOn(lanes)

      for (const [n, lane] of lanes.entries()) {
        const { kind, decided } = lane
        const [name, outcome = '', types] = [nameOf(kind), outcomes[n], await typesOf(lane)]
        expect(outcome, name).toBe(isEnding ? 'issued' : 'downstream_failed')
        expect(types, name).toEqual(isEnding ? STOPPED : FAILED)
        // Where nobody was asked, no denial of a session tells that it is over.
        if (ask !== null) expect(await kind.isAlive(decided.name), name).toBe(false)
        const isBack = await isGivenBack(db, decided)
        if (isEnding || (kind.isTold && when === 'answered')) expect(isBack, name).toBe(false)
        else if (ask === null) expect(isBack, name).toBe(true)
        tell(step, name, [outcome, ...types, ...(isBack ? ['given back'] : [])])
      }
      expect(await lanesFor.orphans()).toEqual([])
    },
    60_000,
  )

  it.each(['asked', 'answered'] as const)(
    '[F49] in the middle of a statement that was %s: it is told as unknown, and its login is found',
    async (when) => {
      const id = when === 'asked' ? 201 : 202
      const [{ kind, running }, { server }] = [exact, postgres]
      const statement = running(id, when)
      const { decided } = await lanesFor.aCallingLane(kind, statement)
      const broker = lanesFor.aBroker()
      const { intent } = await broker.issue(decided.claims)
      const holding = kind.gate?.hold(statement.words(decided.name), when)
      const answer = expect(broker.call(intent, statement.call)).rejects
      const isToldSo = answer.toMatchObject({ code: 'downstream_failed' })
      const held = await holding
      await server.kill()
      held?.drop()
      await isToldSo
      await server.start()

      expect(await rowsAbove(200)).toEqual(when === 'answered' ? [id] : [])
      await statementsAreOver()
      expect(await lanesFor.orphans()).toEqual([decided.name])
      expect(await kind.isAlive(decided.name)).toBe(false)
      const unknown = { event_type: 'usage', effect: { observed: 'unknown' } }
      const told = [{ event_type: 'issuance' }, unknown, { ...unknown, reason: 'login_left' }]
      expect(await recordOf(db, decided.lease)).toMatchObject(told)
      expect(await isGivenBack(db, decided)).toBe(false)
      tell(`target: a call that was ${when}`, nameOf(kind), ['issuance', 'usage: unknown'])
    },
    60_000,
  )
})

/** Each dies as that is asked of it, at once where nothing is, and is there again when the work is over. */
async function dying(work: () => Promise<unknown>, of: Pick<Moment, 'ask' | 'when'>) {
  const { ask, when } = of
  const dead: Victim[] = []
  const deaths = victims.map(async (victim) => {
    const held = ask === null ? null : await victim.gate.hold(victim[ask], when)
    await victim.kill()
    held?.drop()
    dead.push(victim)
  })
  try {
    if (ask === null) await Promise.all(deaths)
    await work()
    // Whoever was not asked by now never is.
    await within(5000, () => Promise.all(deaths))
  } finally {
    await Promise.all(dead.map((victim) => victim.start()))
    for (const { gate } of victims) gate.letAll()
  }
}
