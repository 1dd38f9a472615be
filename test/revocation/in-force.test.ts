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
const asked = (row: object | null, of = decision) =>
  createInForce('main').debitInForce(answering(row), of)

function answering(found: object | null, note?: (row: unknown) => void): Tx {
  const each = (_: unknown, row: unknown) => {
    note?.(row)
    return Promise.resolve(found)
  }
  return { each } as unknown as Tx
}

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

  it('is nothing where it does not answer', async () => {
    await expect(asked(null)).rejects.toThrow('did not say what is in force')
  })
})

describe('what the database is asked', () => {
  const [hop] = decision.chain.hops
  const rowFor = async (of: typeof decision, debited: unknown = made) => {
    const rows: unknown[] = []
    const tx = answering({ ...holds, debited }, (row) => rows.push(row))
    await createInForce('main').debitInForce(tx, of)
    return rows[0]
  }

  it('is about each thing that the decision rests on, and about nothing that is not there', async () => {
    const below = {
      ...hop,
      agent: 'agt_2',
      instance: null,
      jkt: null,
      delegation: 'dlg_2',
    } as const
    const end = new Date(hop.expiresAt.getTime() - 1)
    const hops = [hop, { ...below, tokenHash: null, expiresAt: end }] as const
    const chain = { ...decision.chain, hops, session: null }
    const row = await rowFor({ ...decision, chain })
    const first = [hop.agent, hop.instance, hop.jkt, hop.delegation, hop.tokenHash]
    expect(row).toMatchObject({
      rests_on: [
        ...[consent.sponsor, consent.id, ...first.filter((it) => it !== null)],
        ...['agt_2', 'dlg_2'],
      ],
      scopes: ['', consent.sponsor, hop.agent, 'agt_2', decision.call.tool.name],
      ...{ until: end.toISOString(), debits: [DEBIT], decision: decision.id },
    })
  })

  it.each([
    ['is not allowed', { answer: aSettled('deny').decision.answer }],
    ['spends nothing', { debits: [] }],
  ])('is to spend nothing for what %s', async (_, what) => {
    expect(await rowFor({ ...decision, ...what }, null)).toMatchObject({ debits: null })
  })

  it('is to spend nothing where somebody only wants to know', async () => {
    const rows: unknown[] = []
    const tx = answering({ ...holds, debited: null }, (row) => rows.push(row))
    const told = await createInForce('main').inForce(tx, decision)
    expect([told, rows]).toEqual([
      { stop: null, epoch: 7 },
      [expect.objectContaining({ debits: null })],
    ])
  })
})
