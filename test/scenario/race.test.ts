/** Two who mint on one database, and a consent that is good for fewer calls than are made at once. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { Refused } from '../../src/client/errors.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { startBalancer } from './balancer.ts'
import { aHouse, aRun, callers, eventually, REFUND, REFUNDING } from './house.ts'
import { startReplicas } from './replicas.ts'
import type { Place } from './shapes.ts'
import { aSplit, startSplit } from './two-processes.ts'

const CALLS = 50

/** Two replicas behind a balancer. */
async function twoBrokers({ home }: Place) {
  const balancer = await startBalancer()
  const brokers = await startReplicas(home, { ...home.env, PROCURA_ISSUER: balancer.origin })
  balancer.to(...brokers.map(({ port }) => port))
  expect(brokers.map(({ issuer }) => issuer)).toEqual([balancer.origin, balancer.origin])
  return { issuer: balancer.origin, given: () => balancer.given() }
}

/** One that decides, and two that deliver. */
async function twoDelivering({ home, database }: Place) {
  const { issuer, cdps } = await startSplit(await aSplit(database, home), 2)
  const given = () =>
    cdps.map(({ stderr }) => stderr().split('"route":"/v1/credentials"').length - 1)
  return { issuer, given }
}

describe.each([
  ['two brokers', 1, twoBrokers],
  ['two brokers', 10, twoBrokers],
  ['two delivering processes', 1, twoDelivering],
])('of fifty calls at once over %s, with uses for %i,', (_two, uses, start) => {
  let place: Place
  let asked: Awaited<ReturnType<typeof start>>

  beforeAll(async () => {
    const [database, target] = [await freshDatabase(), await freshTarget()]
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    place = { database, home: await aHouse({ databaseUrl: database.url, shop }) }
    asked = await start(place)
  })

  it('so many succeed, and the ledger verifies', async () => {
    const { home, database } = place
    const { issuer, given } = asked
    const by = callers(home, issuer)
    const { client } = await aRun(by.as('kim'), issuer, { ...REFUNDING, max_uses: uses })
    await client.connect()
    const ask = { tool: 'payments.refund', arguments: REFUND }
    const calls = Array.from({ length: CALLS }, () => client.requestCredential(ask))
    const results = await Promise.allSettled(calls)

    const outcomes = results.map((it) => {
      if (it.status === 'fulfilled') return 'issued'
      const reason: unknown = it.reason
      return reason instanceof Refused ? reason.code : reason
    })
    expect(outcomes.sort()).toEqual([
      ...Array.from({ length: CALLS - uses }, () => 'budget_exhausted'),
      ...Array.from({ length: uses }, () => 'issued'),
    ])
    // It is told by what they log, which may come after the answers.
    await eventually('that both were asked', () => Promise.resolve(Math.min(...given()) > 2))

    const size = async () => {
      const [row] = await database.query<{ leaves: number; signed: number }>(
        `select (select count(*) from ledger.leaf) as leaves,
              (select max(size) from ledger.checkpoint) as signed`,
      )
      return row?.leaves === row?.signed ? (row?.leaves ?? null) : null
    }
    const leaves = await eventually('a checkpoint over all', size)
    const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
    const vkey = vkeyOf(`${new URL(issuer).host}/v1/ledger`, key)
    const verdict = await verifyLedger(fromDatabase(database.pool('procura_verify'), 'main'), {
      vkeys: [vkey],
    })
    expect(verdict).toMatchObject({ ok: true, entries: leaves })
  })
})
