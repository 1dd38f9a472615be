import fc from 'fast-check'
import { expect, it } from 'vitest'
import { freshDatabase } from '../pg/database.ts'

const ACCOUNTS = ['a', 'b', 'c'] as const
interface Debit {
  readonly account: (typeof ACCOUNTS)[number]
  readonly amount: number
}
const debits = fc.uniqueArray(
  fc.record({ account: fc.constantFrom(...ACCOUNTS), amount: fc.integer({ min: 1, max: 9 }) }),
  { minLength: 1, maxLength: 3, selector: ({ account }) => account },
)
const batch = fc.array(debits, { minLength: 1, maxLength: 12 })
const bounds = fc.tuple(...ACCOUNTS.map(() => fc.integer({ min: 0, max: 60 })))

/** What comes of it when each decision has its turn alone. */
function oneByOne(limits: readonly number[], asked: readonly (readonly Debit[])[]) {
  const used = new Map<string, number>(ACCOUNTS.map((account) => [account, 0]))
  const limit = new Map<string, number>(ACCOUNTS.map((account, at) => [account, limits[at] ?? 0]))
  const rows = asked.flatMap((wanted, n) => {
    const found = wanted.map(({ account }) => used.get(account) ?? 0)
    const fits = wanted.every(
      ({ account, amount }, at) => (found[at] ?? 0) + amount <= (limit.get(account) ?? 0),
    )
    if (fits)
      wanted.forEach(({ account, amount }, at) => used.set(account, (found[at] ?? 0) + amount))
    return wanted.map(({ account, amount }, at) => {
      const before = found[at] ?? 0
      const bound = limit.get(account) ?? 0
      return { n, nth: at + 1, bound, used: before, used_after: fits ? before + amount : null }
    })
  })
  return { rows, used: ACCOUNTS.map((account) => used.get(account)) }
}

it('[AC-23] debits for many at once come out as if each had its turn alone', async () => {
  const db = await freshDatabase()
  const pool = db.pool('procura_pdp', 1)
  const owner = (sql: string, values: unknown[] = []) => db.query(sql, values)
  await fc.assert(
    fc.asyncProperty(bounds, batch, async (limits, asked) => {
      await owner('truncate procura.budget, procura.spent')
      for (const [at, account] of ACCOUNTS.entries()) {
        await owner(
          `insert into procura.budget values ('main', $1, 'calls', 'max_subtree', $2, 0)`,
          [...[account, limits[at]]],
        )
      }
      const rows = asked.map((wanted, n) => ({
        ...{ n, decision: `d${String(n)}` },
        debits: wanted.map((debit) => ({ ...debit, key: 'calls', type: 'max_subtree' })),
      }))
      const expected = oneByOne(limits, asked)
      const made = await pool.query(
        `select n, nth, bound, used, used_after from procura.debit('main', $1) order by n, nth`,
        [JSON.stringify(rows)],
      )
      expect(made.rows).toEqual(expected.rows)
      const left = await owner('select used from procura.budget order by account')
      expect(left.map(({ used }) => used)).toEqual(expected.used)
      const [noted] = await owner('select coalesce(sum(amount), 0)::int as sum from procura.spent')
      expect(noted?.['sum']).toBe(expected.used.reduce((sum: number, used = 0) => sum + used, 0))
    }),
    { numRuns: 60 },
  )
})
