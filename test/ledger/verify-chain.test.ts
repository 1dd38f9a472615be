import { describe, expect, it } from 'vitest'
import { type Known, notOnRecord, takeUp } from '../../src/ledger/verify-chain.ts'

const hop = (depth: number, of: object = {}) => ({
  ...{
    depth,
    token_hash: `hash-${String(depth)}`,
    delegation_id: depth > 0 ? `dlg_${String(depth)}` : null,
  },
  ...{ client_id: `agt_${String(depth)}`, instance_id: null, jkt: 'k', purpose: 'support', exp: 9 },
  ...of,
})
const entry = (...hops: { token_hash: string | null }[]) => ({
  chain: { leaf: hops.at(-1)?.token_hash ?? null, depth: hops.length - 1, hops },
})

function aLog(): Known {
  const known: Known = new Map()
  expect(takeUp(known, entry(hop(0)))).toBeNull()
  expect(takeUp(known, entry(hop(0), hop(1)))).toBeNull()
  expect(takeUp(known, entry(hop(0), hop(1), hop(2)))).toBeNull()
  return known
}

describe('a hop on record', () => {
  it('rests on one that was put there before it, as it was put there', () => {
    const stranger = entry(hop(0), hop(1, { token_hash: 'other' }), hop(2, { token_hash: 'new' }))
    expect(takeUp(aLog(), stranger)).toMatch('what it rests on')
    for (const changed of [
      { client_id: 'agt_9' },
      { jkt: 'j' },
      { exp: 10 },
      { purpose: 'sales' },
    ]) {
      const other = entry(hop(0), hop(1, changed), hop(2, { token_hash: 'new' }))
      expect(takeUp(aLog(), other), JSON.stringify(changed)).toMatch('what it rests on')
    }
    expect(takeUp(new Map(), entry(hop(0), hop(1)))).toMatch('what it rests on')
  })

  it('is put there once, under its own name', () => {
    expect(takeUp(aLog(), entry(hop(0), hop(1)))).toMatch('before')
    expect(takeUp(aLog(), { chain: { leaf: 'other', hops: [hop(0)] } })).toMatch('not the last')
    expect(takeUp(aLog(), { chain: { leaf: null, hops: [] } })).toMatch('not the last')
  })
})

describe('an act under a hop', () => {
  it('names it as it is on record, whichever run holds it', () => {
    expect(notOnRecord(aLog(), entry(hop(0), hop(1), hop(2, { instance_id: 'ins_1' })))).toBeNull()
    expect(notOnRecord(aLog(), { chain: { leaf: 'hash-2', depth: 2 } })).toBeNull()
    expect(notOnRecord(aLog(), { chain: { leaf: null, depth: 0, hops: [hop(0)] } })).toBeNull()
  })

  it('is found out where there is none, or another', () => {
    expect(notOnRecord(aLog(), entry(hop(0), hop(3)))).toMatch('not on record')
    expect(notOnRecord(aLog(), entry(hop(0), hop(2)))).toMatch('not the one on record')
    expect(notOnRecord(aLog(), entry(hop(0), hop(1, { exp: 10 }), hop(2)))).toMatch('not the one')
    expect(notOnRecord(aLog(), { chain: { leaf: 7 } })).toMatch('no text')
  })
})
