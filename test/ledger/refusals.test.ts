import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import type { Ledger } from '../../src/domain/ports.ts'
import { PROBLEMS } from '../../src/domain/problems.ts'
import { Recorded } from '../../src/domain/recorded.ts'
import { createRefusals } from '../../src/ledger/refusals.ts'

const NOW = new Date('2026-11-21T08:00:00Z')

/** A ledger that keeps what it is given, or is down. */
function counting() {
  const recorded: LedgerEntry[] = []
  let isDown = false
  const ledger: Ledger = {
    find: () => Promise.resolve(null),
    async record(_key, work) {
      if (isDown) throw new Error('down')
      const written = await work({ query: () => Promise.reject(new Error()), now: NOW } as never)
      recorded.push(...written.entries)
      return Recorded.onRecord(written.value, 0, 'evt')
    },
  }
  const refusals = createRefusals({ ledger, clock: () => NOW, report: () => undefined })
  const countOf = (leaves: readonly LedgerEntry[]) =>
    leaves.reduce((sum, leaf) => sum + ('count' in leaf ? leaf.count : 0), 0)
  return { refusals, recorded, countOf, down: (is: boolean) => (isDown = is) }
}

const FACES = ['native', 'oauth', 'authzen'] as const

describe('refusals on record', () => {
  it('are one leaf for each face, code and known caller, with their number', async () => {
    const { refusals, recorded } = counting()
    for (let at = 0; at < 5; at += 1) refusals.count('native', 'invalid_token', null)
    refusals.count('native', 'rate_limited', 'agt_1')
    refusals.count('native', 'rate_limited', 'agt_1')
    refusals.count('oauth', 'invalid_client', null)
    await refusals.flush()
    expect(recorded).toMatchObject([
      { refusedAt: 'native', code: 'invalid_token', caller: null, count: 5 },
      { refusedAt: 'native', code: 'rate_limited', caller: 'agt_1', count: 2 },
      { refusedAt: 'oauth', code: 'invalid_client', caller: null, count: 1 },
    ])
    await refusals.flush()
    expect(recorded).toHaveLength(3)
  })

  it('are no more leaves than faces and codes, however many strangers try how often', async () => {
    const { refusals, recorded, countOf } = counting()
    const codes = Object.keys(PROBLEMS)
    for (let at = 0; at < 100_000; at += 1) {
      refusals.count(FACES[at % 3] ?? 'native', codes[at % codes.length] ?? '', null)
    }
    await refusals.flush()
    expect(recorded.length).toBeLessThanOrEqual(FACES.length * codes.length)
    expect(countOf(recorded)).toBe(100_000)
  })

  it('name a hundred callers in a window, and count those of all others together', async () => {
    const { refusals, recorded, countOf } = counting()
    for (let at = 0; at < 10_000; at += 1) {
      refusals.count('native', 'rate_limited', `agt_${String(at % 1000)}`)
    }
    await refusals.flush()
    expect(recorded).toHaveLength(101)
    expect(countOf(recorded)).toBe(10_000)
    expect(recorded.filter((leaf) => 'caller' in leaf && leaf.caller === null)).toHaveLength(1)
  })

  it('of any number of kinds are a bounded number of leaves, and none is lost', async () => {
    const { refusals, recorded, countOf } = counting()
    for (let at = 0; at < 5000; at += 1) refusals.count('native', `made_up_${String(at)}`, null)
    await refusals.flush()
    expect(recorded).toHaveLength(1001)
    expect(countOf(recorded)).toBe(5000)
    expect(recorded.at(-1)).toMatchObject({ refusedAt: 'system', code: 'other', count: 4000 })
  })

  it('never add up to a number that has lost digits, whoever says how many', async () => {
    const { refusals, recorded } = counting()
    const much = Number.MAX_SAFE_INTEGER
    for (let at = 0; at < 3; at += 1) refusals.count('native', 'not_found', null, much)
    await refusals.flush()
    expect(recorded).toMatchObject([{ count: 1_000_000_000 }])
  })

  it('that could not be recorded are told by the next leaf that can', async () => {
    const { refusals, recorded, down } = counting()
    down(true)
    refusals.count('native', 'invalid_token', null)
    refusals.count('native', 'invalid_token', null)
    await refusals.flush()
    down(false)
    await refusals.flush()
    expect(recorded).toMatchObject([{ type: 'outage', reason: 'ledger', count: 2 }])
  })
})
