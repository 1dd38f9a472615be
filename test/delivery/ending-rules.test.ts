import { describe, expect, it } from 'vitest'
import {
  conclude,
  type Conclusion,
  type Ending,
  isEnding,
  putOff,
} from '../../src/delivery/endings.ts'
import { bySystem } from '../../src/domain/request.ts'
import { IDS, NOW } from '../fakes/settled.ts'
import { anIntent } from './bench.ts'
import { aLeaseTable, MINTING, REFUNDED } from './lease-table.ts'

const intent = anIntent()
const act = bySystem('req-1')

function aLease(row: Partial<typeof MINTING> = {}) {
  const table = aLeaseTable()
  table.rows.set(intent.lease, { ...MINTING, ...row })
  const ending = (of: Partial<Conclusion>) =>
    conclude(
      { tenant: 'main', ledger: table.ledger },
      {
        ...{ intent, act, reason: 'aborted', from: ['minting'], found: false, isEnforced: true },
        ...of,
      },
    )
  return { ...table, ending, state: () => table.rows.get(intent.lease) }
}

describe('an end', () => {
  it.each<[Ending, boolean, string, boolean]>([
    ['downstream_failed', false, 'failed', true],
    ['downstream_failed', true, 'failed', false],
    ['downstream_timeout', false, 'failed', true],
    ['aborted', true, 'failed', false],
    ['not_recorded', false, 'failed', true],
    ['found_after_crash', true, 'failed', false],
    ['expired', true, 'expired', true],
    ['returned', true, 'returned', true],
    ['delivery_unknown', true, 'revoked', true],
    ['revoked', false, 'revoked', false],
  ])(
    'as %s, with something found there: %s, is %s, and asks for what was spent: %s',
    async (reason, found, state, isRefunded) => {
      const { ending, entries, broken, state: after } = aLease()
      expect(await ending({ reason, found })).toEqual({ at: NOW })
      expect(after()).toMatchObject({ state, end_reason: reason })
      expect(broken.refunds).toBe(isRefunded ? 1 : 0)
      expect(entries).toHaveLength(1)
      if (reason !== 'revoked') {
        expect(entries).toMatchObject([{ reason, refunded: isRefunded ? REFUNDED : [] }])
      }
    },
  )

  it('that failed is on record as the broker’s own doing, with what it was meant to be', async () => {
    const { ending, entries } = aLease()
    await ending({ reason: 'not_recorded', act: { ...act, requestId: 'another' } })
    expect(entries).toEqual([
      {
        ...{ type: 'issuance_failed', reason: 'not_recorded', refunded: REFUNDED, intent },
        act: bySystem(intent.requestId),
      },
    ])
  })

  it.each([
    [true, { observed: 'none', source: 'redemption', agreement: 'not_exercised' }],
    [false, { observed: 'unknown', source: 'none', agreement: 'indeterminate' }],
  ])('says of its use what can be known (spending is enforced: %s)', async (isEnforced, effect) => {
    const { ending, entries } = aLease()
    await ending({ reason: 'expired', isEnforced })
    expect(entries).toEqual([
      {
        type: 'credential_ended',
        act,
        credential: intent.lease,
        reason: 'expired',
        effect,
        refunded: REFUNDED,
      },
    ])
  })

  it('by a stop says which, after how many attempts, and that it is confirmed', async () => {
    const { ending, entries } = aLease()
    const stop = { revocation: IDS.revocation, kind: 'consent' }
    await ending({ reason: 'revoked', stop, attempts: 2 })
    const remediation = {
      ...{ type: 'remediation', act, revocation: IDS.revocation, credential: intent.lease },
      ...{ cause: 'consent', outcome: 'confirmed', attempts: 3, confirmedDeadAt: NOW },
      causeEvent: null,
    }
    expect(entries).toEqual([remediation])
    const other = aLease()
    await other.ending({ reason: 'revoked', stop: null })
    const unknown = { revocation: null, cause: 'stopped', attempts: 1 }
    expect(other.entries).toEqual([{ ...remediation, ...unknown }])
  })

  it('happens once, from where it may, by whoever has the claim', async () => {
    const { ending, entries, broken } = aLease({ claim: 'mine' })
    expect(await ending({ from: ['active', 'revoke_pending'] })).toBeNull()
    expect(await ending({ claim: 'theirs' })).toBeNull()
    expect(await ending({ intent: anIntent() })).toBeNull()
    expect([entries, broken.refunds]).toEqual([[], 0])
    expect(await ending({ claim: 'mine' })).toEqual({ at: NOW })
    expect(await ending({ claim: 'mine' })).toBeNull()
    expect(entries).toHaveLength(1)
  })

  it('that cannot be recorded has not happened', async () => {
    const { ending, state, broken } = aLease()
    broken.ledger = 1
    await expect(ending({})).rejects.toThrow('the ledger is away')
    expect(state()).toMatchObject({ state: 'minting' })
  })
})

describe('putting an end off', () => {
  const later = { lease: intent.lease, reason: 'aborted', from: ['minting'], delayMs: 7 } as const

  it('keeps the first reason, counts the attempts, and says whether it was ours', async () => {
    const { pool, state } = aLease({ end_reason: 'downstream_failed', attempts: 4 })
    expect(await putOff(pool, 'main', later)).toBe(true)
    expect(state()).toMatchObject({
      ...{ state: 'revoke_pending', end_reason: 'downstream_failed', attempts: 5, delay: 7 },
    })
    expect(await putOff(pool, 'main', later)).toBe(false)
  })

  it('is for whoever has the claim', async () => {
    const { pool } = aLease({ claim: 'mine' })
    expect(await putOff(pool, 'main', { ...later, claim: 'theirs' })).toBe(false)
    expect(await putOff(pool, 'main', { ...later, claim: 'mine' })).toBe(true)
  })
})

it('a reason to end is one of ours, and no other word', () => {
  expect(['expired', 'aborted', 'constructor', '', null].map((text) => isEnding(text))).toEqual([
    ...[true, true],
    ...[false, false, false],
  ])
})
