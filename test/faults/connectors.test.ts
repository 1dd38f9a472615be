/**
 * Every connector that makes something at its target × everything that goes wrong on the way there: nothing
 * that works is left, nothing is left that is not on record, and what is unknown is no success and no denial.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stateOf } from '../delivery/world.ts'
import type { Way } from '../fakes/gate.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { aDelivery, OPEN, recordOf, takeAway } from './delivering.ts'
import { aMatrix } from './matrix.ts'
import { type Subject, SUBJECTS } from './subjects.ts'

/** Octets that arrive before the answers stop: in the handshake, between the calls, at the last one. */
const CUTS = [0, 300, 700, 1100, 1600, 2400]
const CELLS: readonly (readonly [name: string, way: Way, cut: number])[] = [
  ...(['refused', 'silent', 'late', 'nonsense', 'twice'] as const).map(
    (way) => [way, way, 0] as const,
  ),
  ...CUTS.map((cut) => [`cut after ${String(cut)}`, 'cut', cut] as const),
]
const { tell, print } = aMatrix(
  'way',
  SUBJECTS.map(([name]) => name),
)
afterAll(print)

describe.each(SUBJECTS)('%s', (connector, start) => {
  let subject: Subject
  let db: TestDatabase
  beforeAll(async () => {
    db = await freshDatabase()
    await db.query(`insert into procura.epoch values ('main', 'policy', 1)`)
    subject = await start()
  }, 120_000)
  afterAll(async () => {
    await subject.stop()
  })

  it.each(CELLS)(
    '[F49] %s: nothing works that is not on record, and nothing at all in the end',
    async (what, way, cut) => {
      const { permissions, settings, secret } = subject
      const guarded = { orders: { connector, settings, secret } }
      const world = aDelivery(db, guarded, `https://${db.name}.example`)
      const claims = { target: 'orders', connector, permissions, sender_constraint: 'none' }
      subject.gate.cutAfter(cut)
      await subject.gate.set(way)
      const { lease, name, outcome } = await world.issue(claims)
      await subject.gate.set('open')
      tell(what, connector, [outcome])

      // Either it was handed out, and ends as any other; or nobody has it, and it ends by itself.
      if (outcome === 'issued') await takeAway(db, lease)
      else if (way === 'silent' || way === 'late') expect(outcome).toBe('downstream_timeout')
      else expect(outcome).toMatch(/^downstream_(failed|timeout)$/)
      await world.sweepUntil(async () => !OPEN.includes((await stateOf(db, lease))?.state ?? ''))
      expect(await subject.isAlive(name)).toBe(false)
      // Traces that open nothing may be left: one look finds them, and then there are none.
      await world.orphans('orders')
      expect(await world.orphans('orders')).toEqual([])

      const types = (await recordOf(db, lease)).map(({ event_type }) => event_type)
      if (outcome === 'issued') expect(types).toEqual(['issuance', 'remediation'])
      else expect(types).toEqual(['issuance_failed'])
    },
    60_000,
  )
})
