import { describe, expect, it, onTestFinished } from 'vitest'
import { policySetHash } from '../../src/policy/files.ts'
import { freshDatabase } from '../pg/database.ts'
import { replica } from './replica.ts'
import { act, answers, broken, closed, decision, sql } from './sets.ts'
import { aChain, files } from './world.ts'

describe('a policy set', () => {
  it('is what everything waits for: without one nothing is decided, and nobody is ready', async () => {
    const { pdp } = await replica(await freshDatabase())
    expect(pdp.isHealthy()).toBe(false)
    expect(() => pdp.read({ tool: 'sql.query', arguments: { sql } })).toThrow(
      expect.objectContaining({
        code: 'unavailable',
        shown: expect.objectContaining({
          evaluation: { status: 'not_evaluated', unavailableInput: 'policy' },
        }) as unknown,
      }),
    )
  })

  it('is put in force with the next epoch and an entry of the ledger, as one act', async () => {
    const db = await freshDatabase()
    const one = await replica(db)
    expect(await one.pdp.publish(files, act)).toBe(1)
    expect(await one.pdp.publish(closed, act)).toBe(2)
    const stored = await db.query(
      'select epoch::int, hash, event_id from procura.policy_set order by epoch',
    )
    expect(stored).toMatchObject([
      { epoch: 1, hash: policySetHash(files) },
      { epoch: 2, hash: policySetHash(closed) },
    ])
    const [, last] = await db.query<{ change: object; event_id: string }>(
      `select entry::jsonb -> 'change' as change, event_id from ledger.leaf where event_type = 'admin_change' order by index`,
    )
    expect(last).toMatchObject({
      change: {
        kind: 'policy_set',
        before_hash: policySetHash(files),
        after_hash: policySetHash(closed),
      },
      event_id: stored[1]?.['event_id'],
    })
  })

  it('that is in force already is not published again', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db), await replica(db)]
    const epochs = await Promise.all([one.pdp.publish(files, act), two.pdp.publish(files, act)])
    expect(epochs).toEqual([1, 1])
    expect(await db.query('select from ledger.leaf')).toHaveLength(1)
    expect(two.pdp.isHealthy()).toBe(true)
  })

  it('that is in force here by one way is not waited for by the other', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db, 'wasm'), await replica(db, 'wasm')]
    await two.pdp.follow()
    await one.pdp.publish(files, act)
    const publishing = two.pdp.publish(files, act)
    const threads: unknown[] = []
    const note = (thread: unknown) => threads.push(thread)
    process.on('worker', note)
    onTestFinished(() => void process.off('worker', note))
    const looking = two.tick() // Finds it in force, and waits for the other.
    await publishing
    expect(two.pdp.isHealthy()).toBe(true)
    await looking
    expect(threads.length, 'vetted once').toBeLessThanOrEqual(1)
  })

  it('[POL-11] that one replica puts in force decides on the others after their next look', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db), await replica(db)]
    await one.pdp.publish(files, act)
    await two.pdp.follow()
    expect([await answers(one), await answers(two)]).toEqual(['allow', 'allow'])
    await one.pdp.publish(closed, act)
    await two.tick()
    const decided = [await decision(one), await decision(two)]
    expect(
      decided.map(({ answer, policyEpoch, policySetHash: hash }) => [
        answer.kind,
        policyEpoch,
        hash,
      ]),
    ).toEqual(Array.from({ length: 2 }, () => ['deny', 2, policySetHash(closed)]))
  })

  it('[POL-10] that is refused changes nothing anywhere', async () => {
    const db = await freshDatabase()
    const one = await replica(db)
    await one.pdp.publish(files, act)
    await expect(one.pdp.publish(broken, act)).rejects.toThrow('more.cedar: line 1')
    expect(await answers(one)).toBe('allow')
    expect(await db.query('select from procura.policy_set')).toHaveLength(1)
    expect(await db.query('select from ledger.leaf')).toHaveLength(1)
  })

  it('that was altered in the database is not taken over, and it is said once', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db, 'wasm'), await replica(db, 'wasm')]
    await one.pdp.publish(files, act)
    await two.pdp.follow()
    await one.pdp.publish(closed, act)
    await db.query(`update procura.policy_set set files = files - 'more.cedar' where epoch = 2`)
    await two.tick()
    await two.tick()
    expect(two.reports).toEqual([
      'the policy set in force could not be loaded: a stored set is not its hash',
    ])
    expect(await decision(two)).toMatchObject({ policyEpoch: 1, answer: { kind: 'allow' } })
    expect(two.pdp.isHealthy()).toBe(false)
    const restore = (epoch: number) =>
      db.query(`update procura.epoch set value = $1 where kind = 'policy'`, [epoch])
    await restore(1) // Gone again: it is not waited for.
    await two.tick()
    expect(two.pdp.isHealthy()).toBe(true)
    await restore(2)
    await two.tick()
    expect(two.pdp.isHealthy()).toBe(false)
    // By whatever way it comes, nobody waits for it any more.
    expect(await two.pdp.publish(closed, act)).toBe(2)
    await two.tick()
    expect([two.pdp.isHealthy(), await answers(two)]).toEqual([true, 'deny'])
  })

  it('[POL-17] that is no longer in force still makes its decisions again', async () => {
    const one = await replica(await freshDatabase())
    await one.pdp.publish(files, act)
    const { snapshot, answer, verdicts } = await decision(one)
    await one.pdp.publish(closed, act)
    expect(await answers(one)).toBe('deny')
    expect(await one.pdp.replay(snapshot)).toMatchObject({ answer, verdicts })
    expect(await answers(one)).toBe('deny')
  })
})

describe('a sponsor', () => {
  it('hands on only what the rules let them', async () => {
    const { pdp } = await replica(await freshDatabase())
    await pdp.publish(files, act)
    const { consent } = aChain()
    const now = new Date('2026-11-21T10:00:00.000Z')
    const may = (groups: string[], terms: object) =>
      pdp.mayConsent({ id: consent.sponsor, groups }, { ...consent.terms, ...terms }, now)
    expect(await may([], {})).toEqual({ refused: null, policyEpoch: 1 })
    const refused = { kind: 'deny', reason: 'no_permit', stoppedBy: { kind: 'sponsor' } }
    expect(await may([], { purpose: 'maintenance' })).toMatchObject({ refused })
    expect(await may(['dba'], { purpose: 'maintenance' })).toMatchObject({ refused: null })
    expect(await may(['support'], { tools: ['sql.*', 'payments.refund'] })).toMatchObject({
      refused: { kind: 'deny' },
    })
    await expect(may([], { tools: ['sql.query', 'no.*'] })).rejects.toMatchObject({
      code: 'unknown_tool',
    })
    await expect(may([], { purpose: 'fun' })).rejects.toMatchObject({ code: 'unknown_purpose' })
    expect([
      pdp.isDeclared('payments.*'),
      pdp.isDeclared('pay.*'),
      pdp.isPurpose('support'),
      pdp.isPurpose('sup'),
    ]).toEqual([true, false, true, false])
  })
})
