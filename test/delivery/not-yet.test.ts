import { z } from 'zod'
import { describe, expect, it } from 'vitest'
import { type Connector, NotYet } from '../../src/delivery/connector.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import { now, WHO } from './bench.ts'
import { aWorld, issue, leaves, ORDERS, stateOf, stop } from './world.ts'

/** One that can end nothing early, and knows when what it made ends by itself. */
function aPatientTarget() {
  const asked: (Date | undefined)[] = []
  const connector: Connector<object, object> = {
    ...{ name: 'postgres', model: 'mint', spending: 'unseen', senderConstraint: 'none' },
    ...{ revocation: 'expiry', ttlSecondsMin: 1, isAtTarget: true },
    settings: z.looseObject({}),
    permissions: z.looseObject({}),
    audienceOf: () => null,
    issue: () => Promise.reject(new Error('made elsewhere')),
    revoke(_name, _at, _signal, endsAt) {
      asked.push(endsAt)
      const left = (endsAt?.getTime() ?? 0) - time.getTime()
      return left > 0 ? Promise.reject(new NotYet(left)) : Promise.resolve({ found: false })
    },
    listOwn: () => Promise.resolve([]),
  }
  let time = now()
  return {
    asked,
    targets: createTargets([kindOf(connector)], { orders: { connector: 'postgres' } }),
    passes: (to: Date) => {
      time = to
    },
  }
}

describe('a lease that its target cannot end early', () => {
  it('[REV-01] is not called dead until it is, is asked about again then, and troubles nobody', async () => {
    const world = await aWorld()
    const patient = aPatientTarget()
    const { lease, intent } = await issue(world, ORDERS)
    await stop(world.db, 'consent', WHO.consent)
    const sweeper = world.aSweeper(patient.targets)

    const start = new Date(intent.expiresAt.getTime() - 30_000)
    patient.passes(start)
    expect(await sweeper.sweepOnce(start)).toBe(0)
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'revoke_pending' })
    expect(patient.asked).toEqual([intent.expiresAt])
    const before = new Date(intent.expiresAt.getTime() - 2000)
    expect(await sweeper.sweepOnce(before)).toBe(0)
    expect(patient.asked).toHaveLength(1)

    const after = new Date(intent.expiresAt.getTime() + 1000)
    patient.passes(after)
    expect(await sweeper.sweepOnce(after)).toBe(1)
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'revoked' })
    expect((await leaves(world.db)).at(-1)).toMatchObject({ event_type: 'remediation' })
    expect(world.troubles).toEqual([])
  })
})
