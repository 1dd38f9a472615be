import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Denial,
  denialsDocument,
  readDenials,
  RoleError,
  withNew,
} from '../../src/delivery/connectors/aws-sts/denials.ts'
import { together } from '../../src/delivery/connectors/aws-sts/together.ts'
import { downstreamName } from '../../src/delivery/claims.ts'

const session = fc.integer({ min: 0, max: 30 }).map((n) => downstreamName(`lease ${String(n)}`))
const second = fc.integer({ min: 1, max: 4_000_000_000 })
const denial = fc.record<Denial>({ session, since: second, until: second })
const denials = fc.uniqueArray(denial, { maxLength: 30, selector: (it) => it.session })
const namesOf = (of: readonly { session: string }[]) => of.map((one) => one.session).sort()

describe('the denials in a role', () => {
  it('are read as they were written, and never as ending earlier', () => {
    fc.assert(
      fc.property(denials, fc.boolean(), (written, isEncoded) => {
        const text = denialsDocument(written)
        const read = readDenials(isEncoded ? encodeURIComponent(text) : text)
        expect(namesOf(read)).toEqual(namesOf(written))
        for (const { session, since, until } of written) {
          const found = read.find((one) => one.session === session)
          expect(found?.since).toBe(since)
          expect(found?.until).toBeGreaterThanOrEqual(until)
        }
      }),
    )
  })

  it('lose nobody that may still be alive, and nobody that was added', () => {
    fc.assert(
      fc.property(denials, denials, second, (standing, added, now) => {
        const wanted = withNew(standing, added, { now, settledSeconds: 10 }) ?? standing
        const alive = standing.filter(({ until }) => until > now)
        for (const { session } of [...alive, ...added]) expect(namesOf(wanted)).toContain(session)
      }),
    )
  })

  it('keep the time since when they stand there until that does not matter any more', () => {
    const one = { session: downstreamName('one'), since: 100, until: 900 }
    const two = { session: downstreamName('two'), until: 900 }
    const at = (now: number) => withNew([one], [two], { now, settledSeconds: 10 })
    expect(at(109)).toEqual([one, { ...two, since: 109 }])
    expect(at(110)).toEqual([
      { ...one, since: 0 },
      { ...two, since: 110 },
    ])
    expect(withNew([one], [one], { now: 200, settledSeconds: 10 })).toBeNull()
  })

  it('are a hundred and eighty at least, and one too many is told, not left out', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, n) => ({
        ...{ session: downstreamName(String(n)), since: 0, until: 1_800_000_000 + 18 * n },
      }))
    expect(readDenials(denialsDocument(many(180)))).toHaveLength(180)
    expect(() => denialsDocument(many(300))).toThrow(RoleError)
  })

  const statement = {
    ...{ Sid: 's1u300', Effect: 'Deny', Action: '*', Resource: '*' },
    Condition: { StringLike: { 'aws:userid': [`*:${downstreamName('one')}`] } },
  }
  const edited = (of: object) =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ ...statement, ...of }] })
  it.each([
    ['is no JSON', '{'],
    ['is badly encoded', '%7B%'],
    ['allows', edited({ Effect: 'Allow' })],
    ['denies something else', edited({ Action: 's3:GetObject' })],
    ['has another name', edited({ Sid: 'Operators' })],
    [
      'names what is not ours',
      edited({ Condition: { StringLike: { 'aws:userid': ['*:admin'] } } }),
    ],
    ['names everybody', edited({ Condition: { StringLike: { 'aws:userid': ['*'] } } })],
  ])('are not ours to overwrite where the policy %s', (_what, document) => {
    expect(readDenials(edited({}))).toHaveLength(1)
    expect(() => readDenials(document)).toThrow(RoleError)
  })
})

describe('what is asked together', () => {
  it('is given up with its round, which is told so, and the next one begins', async () => {
    const rounds: AbortSignal[] = []
    const ask = together((items: readonly number[], signal) => {
      rounds.push(signal)
      return items.includes(1) ? new Promise<number>(() => undefined) : Promise.resolve(2)
    }, 50)
    await expect(ask(1)).rejects.toThrow(/timeout/)
    expect(rounds.map(({ aborted }) => aborted)).toEqual([true])
    expect(await ask(2)).toBe(2)
  })

  it('is done in the round after the one under way, by each exactly once', async () => {
    const rounds: (readonly number[])[] = []
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const ask = together(async (items: readonly number[]) => {
      rounds.push(items)
      await gate
      return items.length
    })
    const first = ask(1)
    await Promise.resolve()
    const later = [ask(2), ask(3)]
    expect(rounds).toEqual([[1]])
    open()
    expect(await Promise.all([first, ...later])).toEqual([1, 2, 2])
    expect(rounds).toEqual([[1], [2, 3]])
  })

  it('fails for those who were in that round, and for nobody after', async () => {
    let failures = 1
    const ask = together((items: readonly number[]) =>
      failures-- > 0 ? Promise.reject(new Error('down')) : Promise.resolve(items),
    )
    const [one, two] = [ask(1), ask(2)]
    await expect(one).rejects.toThrow('down')
    await expect(two).rejects.toThrow('down')
    expect(await ask(3)).toEqual([3])
  })
})
