/** Nobody knows whether the database did it: the answer to its commit got lost. */
import { randomUUID } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CredentialAsk } from '../../src/client/client.ts'
import { expectSound } from './audit.ts'
import { ASK, type Call, one } from './load.ts'
import { aFaultyBroker, type FaultyBroker } from './world.ts'

let world: FaultyBroker
const calls: Call[] = []
beforeAll(async () => {
  world = await aFaultyBroker()
})

/** One call whose commit under these words is not answered; then the same again, with the same key. */
async function lose(words: RegExp, how: 'reset' | 'silence', ask: CredentialAsk = ASK.refund) {
  const run = ask === ASK.refund ? world.kim : world.ana
  const key = randomUUID()
  const before = await leaves()
  const lost = world.line.loseAnswerTo(words, how)
  const first = await one(run, ask, undefined, key)
  await lost
  const second = await one(run, ask, undefined, key)
  calls.push(first, second)
  return { first, second, added: (await leaves()).slice(before.length) }
}

async function leaves(): Promise<string[]> {
  const rows = await world.postgres.query<{ event_type: string }>(
    `select event_type from procura.v_ledger
     where event_type ~ '^(decision|issuance)' order by seq`,
  )
  return rows.map(({ event_type }) => event_type)
}

describe.each(['reset', 'silence'] as const)('[F29] a commit whose answer is lost by %s', (how) => {
  it('of a decision: it is on record once, and whoever asks again gets one credential or a clear no', async () => {
    const { first, second, added } = await lose(/append_decided/, how)
    expect(['active', 'unavailable']).toContain(first.outcome)
    expect(first.ms).toBeLessThan(5000)
    expect(['idempotency_in_flight', 'idempotency_replayed', 'active']).toContain(second.outcome)
    expect(added.filter((type) => type === 'decision')).toHaveLength(1)
    expect(added.filter((type) => type === 'issuance').length).toBeLessThanOrEqual(1)
  })

  it('of an issuance: nobody gets the credential unless it is on record, and there is no second', async () => {
    const { first, second, added } = await lose(/append_issued/, how, ASK.count)
    expect(['active', 'unavailable']).toContain(first.outcome)
    expect(first.ms).toBeLessThan(5000)
    expect(added.filter((type) => type === 'decision')).toHaveLength(1)
    expect(added.filter((type) => type === 'issuance').length).toBeLessThanOrEqual(1)
    // The first one is what it was: told again without its secret, or over.
    expect(second.outcome).not.toBe('active')
  })
})

it('[F29] a proof whose use may or may not be stored is not used again; a fresh one is', async () => {
  const { first, second, added } = await lose(/used_proof_insert/, 'reset')
  expect(first).toMatchObject({ outcome: 'unavailable' })
  expect(second).toMatchObject({ outcome: 'active' })
  expect(added).toEqual(['decision', 'issuance'])
})

it('[I2, I3, I5, I10, I20] after all that, what was told is on record, and the rest is over', async () => {
  expect(await one(world.kim, ASK.refund)).toMatchObject({ outcome: 'active' })
  await expectSound(world, world.issuer, calls)
}, 120_000)
