import { describe, expect, it } from 'vitest'
import type { Tx } from '../../src/domain/tx.ts'
import { createInForce } from '../../src/revocation/in-force.ts'
import { aSettled, NOW } from '../fakes/settled.ts'

const DEBIT = { account: 'con_1', key: 'calls', type: 'max_subtree', amount: 1 } as const
const { decision: settled } = aSettled('allow')
const decision = { ...settled, debits: [DEBIT] }
const { consent } = decision.chain
const made = [{ bound: 5, used: 0, usedAfter: 1 }]

/** What the database says of it. */
const holds = {
  ...{ now: new Date(NOW.getTime() - 60_000), policy_epoch: decision.policyEpoch },
  ...{ revocation_epoch: 7, stopped: [], retired: [], frozen: [], is_withdrawn: false },
  ...{ expires_at: new Date(NOW.getTime() + 60_000), debited: made },
}
const asked = (row: object) =>
  createInForce('main').debitInForce(
    { each: () => Promise.resolve(row) } as unknown as Tx,
    decision,
  )

describe('what the database debits, and what is allowed', () => {
  it('is one', async () => {
    expect(await asked(holds)).toEqual({ stop: null, epoch: 7, debited: made })
    const stopped = { ...holds, stopped: [consent.id], debited: null }
    expect(await asked(stopped)).toMatchObject({ stop: { outcome: 'revoked' }, debited: [] })
  })

  it.each([
    ['debited for what was stopped', { stopped: [consent.id] }],
    ['debited for what is over', { expires_at: holds.now }],
    ['debited for what is frozen', { frozen: [''] }],
    ['debited for a consent that is not there', { is_withdrawn: false, expires_at: null }],
    ['did not debit for what holds', { debited: null }],
  ])('is nothing where it %s: nobody goes on, and nothing is recorded', async (_, said) => {
    await expect(asked({ ...holds, ...said })).rejects.toThrow('judges otherwise')
  })

  it('is nothing by rules that are not in force any more', async () => {
    await expect(asked({ ...holds, policy_epoch: 99 })).rejects.toMatchObject({
      code: 'decision_stale',
    })
  })
})
