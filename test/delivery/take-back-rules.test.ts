import { afterEach, describe, expect, it, vi } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import { createTargets, type Targets } from '../../src/delivery/targets.ts'
import { actOf, createTakeBack } from '../../src/delivery/take-back.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { BrokerError, unavailable } from '../../src/domain/problems.ts'
import { aFakeTarget } from '../fakes/target.ts'
import { anIntent, until } from './bench.ts'
import { aLeaseTable, MINTING } from './lease-table.ts'

function aScene(state = 'minting', of: Partial<Intent> = {}) {
  const table = aLeaseTable()
  const intent = anIntent({ target: 'orders', connector: 'postgres', ...of })
  const fake = aFakeTarget()
  fake.live.add(intent.downstreamName)
  const targets: Targets = createTargets([fake.kind], { orders: { connector: 'postgres' } })
  table.rows.set(intent.lease, { ...MINTING, state })
  const troubles: unknown[] = []
  const takeBack = createTakeBack({
    ...{ tenant: 'main', pool: table.pool, ledger: table.ledger, targets },
    trouble: (error) => troubles.push(error),
  })
  const row = () => table.rows.get(intent.lease)
  return {
    ...table,
    intent,
    fake,
    troubles,
    row,
    back: (cause: unknown) => takeBack(intent, cause),
  }
}
const nothingMade = (code: 'downstream_failed' | 'downstream_timeout' | 'internal_error') =>
  new BrokerError(code, { cause: new NoEffect('refused') })

describe('taking back', () => {
  it.each<[string, unknown, string]>([
    ['the target failed', new BrokerError('downstream_failed'), 'downstream_failed'],
    ['the target was late', new BrokerError('downstream_timeout'), 'downstream_timeout'],
    ['it was stopped meanwhile', new BrokerError('chain_invalid'), 'aborted'],
    ['it was ended meanwhile', new BrokerError('decision_stale'), 'aborted'],
    ['the ledger was away', unavailable('ledger'), 'not_recorded'],
    ['nobody knows what happened', new Error('?'), 'not_recorded'],
  ])('revokes by name and records why, where %s', async (_what, cause, reason) => {
    const { back, fake, intent, entries, row, troubles } = aScene()
    await back(cause)
    expect([...fake.live, fake.revoked]).toEqual([[intent.downstreamName]])
    // Something was there: what it spent stays spent.
    expect(entries).toMatchObject([{ type: 'issuance_failed', reason, refunded: [] }])
    expect([row()?.state, troubles]).toEqual(['failed', []])
  })

  it('asks no target where nothing can exist, and gives back what it spent', async () => {
    const { back, fake, entries } = aScene()
    await back(nothingMade('downstream_failed'))
    expect(fake.revoked).toEqual([])
    expect(entries).toMatchObject([{ reason: 'downstream_failed', refunded: [{ usedAfter: 3 }] }])
  })

  it('believes a target that made nothing only through the broker’s own error', async () => {
    const { back, fake } = aScene()
    await back(new NoEffect('somebody says so'))
    expect(fake.revoked).toHaveLength(1)
    const other = aScene()
    await other.back(new BrokerError('downstream_failed', { cause: new Error('the line broke') }))
    expect(other.fake.revoked).toHaveLength(1)
  })

  it.each(['active', 'revoke_pending'])(
    'ends what turns out to be %s: it reached nobody',
    async (state) => {
      const { back, entries, row, intent } = aScene(state)
      await back(new Error('the answer to the commit was lost'))
      expect(row()).toMatchObject({ state: 'revoked', end_reason: 'delivery_unknown' })
      expect(entries).toEqual([
        {
          ...{ type: 'credential_ended', credential: intent.lease, reason: 'delivery_unknown' },
          act: actOf(intent, { requestId: intent.requestId, face: 'system' }),
          effect: { observed: 'unknown', source: 'none', agreement: 'indeterminate' },
          refunded: expect.any(Array) as unknown,
        },
      ])
    },
  )

  it('leaves alone what is over', async () => {
    const { back, entries, row, troubles } = aScene('expired')
    await back(new Error('?'))
    expect([entries, row()?.state, troubles]).toEqual([[], 'expired', []])
  })

  it.each([
    ['minting', 'downstream_failed'],
    ['active', 'delivery_unknown'],
  ])('of what was %s is put off while the target does not confirm it', async (state, reason) => {
    const { back, fake, entries, row, troubles } = aScene(state)
    fake.faults.add('cannot be asked to revoke')
    await back(new BrokerError('downstream_failed'))
    expect(row()).toMatchObject({
      state: 'revoke_pending',
      end_reason: reason,
      delay: 1000,
      attempts: 1,
    })
    expect(entries).toEqual([])
    expect(troubles).toMatchObject([{ message: 'nobody answers' }])
  })

  it('is put off where the target is not configured any more', async () => {
    const { back, row } = aScene('minting', { target: 'gone' })
    await back(new Error('?'))
    expect(row()).toMatchObject({ state: 'revoke_pending', end_reason: 'not_recorded' })
  })

  it('never rejects, and is tried again until it is done', async () => {
    const { back, broken, row, troubles } = aScene()
    broken.ledger = 1
    await back(new Error('?'))
    expect(row()?.state).toBe('minting')
    expect(troubles).toMatchObject([{ message: 'the ledger is away' }])
    await until(async () => row()?.state === 'failed')
    expect(troubles).toHaveLength(1)
  })
})

describe('something that was there when it was first tried', () => {
  it('was there, whatever the try finds that is on record: what it spent stays spent', async () => {
    const { back, broken, fake, entries, row } = aScene()
    broken.ledger = 1
    await back(new Error('?'))
    expect(fake.live.size).toBe(0)
    await until(async () => row()?.state === 'failed')
    expect([fake.revoked.length, broken.refunds]).toEqual([2, 0])
    expect(entries).toMatchObject([{ type: 'issuance_failed', refunded: [] }])
  })

  it('is marked for whoever goes on where the target was silent when it was tried again', async () => {
    const { back, broken, fake, row } = aScene()
    broken.ledger = 1
    await back(new Error('?'))
    expect(row()?.claim).toBeNull()
    fake.faults.add('cannot be asked to revoke')
    await until(async () => row()?.state === 'revoke_pending')
    expect(row()?.claim).toBe('found')
  })

  it.each([
    ['a sweeper that has begun may have found it', 'sweeper', 0],
    ['nobody else has begun, and nothing was there', null, 1],
  ])('is not ruled out where %s', async (_what, claim, refunds) => {
    const { back, broken, fake, row } = aScene()
    Object.assign(row() ?? {}, { claim })
    fake.live.clear()
    await back(new BrokerError('decision_stale'))
    expect(row()?.state).toBe('failed')
    expect(broken.refunds).toBe(refunds)
  })
})

describe('taking back again', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is tried after 1, 2, 4 … 30 seconds, for as long as it may be alive', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { back, broken, troubles } = aScene('minting', { ttlSeconds: 60 })
    broken.ledger = Infinity
    await back(new Error('?'))
    const tried: number[] = []
    for (let seconds = 1; seconds <= 600; seconds += 1) {
      const before = troubles.length
      await vi.advanceTimersByTimeAsync(1000)
      if (troubles.length > before) tried.push(seconds)
    }
    expect(tried).toEqual([1, 3, 7, 15, 31, 61])
  })

  it('needs nobody to tell', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { broken, rows, pool, ledger, intent, fake } = aScene()
    fake.faults.add('cannot be asked to revoke')
    broken.ledger = Infinity
    const targets = createTargets([fake.kind], { orders: { connector: 'postgres' } })
    const takeBack = createTakeBack({ tenant: 'main', pool, ledger, targets })
    await takeBack(intent, nothingMade('downstream_failed'))
    await vi.advanceTimersByTimeAsync(1000)
    await takeBack(intent, new Error('?'))
    expect(rows.get(intent.lease)?.state).toBe('revoke_pending')
  })
})

describe('what is recorded of it', () => {
  it('says that it was not used, where every use would have been seen', async () => {
    const { intent, pool, ledger, entries, fake } = aScene('active')
    const target = fake.kind.at('orders', {})
    const seen = { ...target, connector: { ...target.connector, spending: 'enforced' as const } }
    const targets = new Map([['orders', seen]])
    await createTakeBack({ tenant: 'main', pool, ledger, targets })(intent, new Error('?'))
    expect(entries).toMatchObject([{ effect: { observed: 'none', source: 'redemption' } }])
  })

  it('is that nobody knows why, where the error is not the broker’s own', async () => {
    const { back, entries } = aScene()
    await back(Object.assign(new Error('?'), { code: 'downstream_failed' }))
    expect(entries).toMatchObject([{ reason: 'not_recorded' }])
  })

  it('needs no target where nothing was made', async () => {
    const { back, entries } = aScene('minting', { target: 'gone' })
    await back(nothingMade('downstream_timeout'))
    expect(entries).toMatchObject([{ reason: 'downstream_timeout' }])
  })

  it('is no trouble where the target is not configured any more', async () => {
    const { back, troubles } = aScene('minting', { target: 'gone' })
    await back(new Error('?'))
    expect(troubles).toEqual([])
  })
})

it('whoever collected it acted, and on their own session', () => {
  const intent = anIntent()
  expect(actOf(intent, { requestId: 'req-2', face: 'native' })).toEqual({
    ...{ requestId: 'req-2', face: 'native' },
    actor: {
      ...{ kind: 'agent', id: intent.agent, instance: intent.instance, jkt: intent.jkt },
      authentication: 'session_dpop',
    },
  })
})
