/** What holds after every fault, looked at from outside: the journal, the database, the target. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from 'pg'
import { expect } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { eventually } from '../scenario/house.ts'
import type { Call } from './load.ts'
import type { FaultWorld } from './world.ts'

/** An answer that nobody gets is an answer of these; `unreachable` only where a broker was killed. */
const CLEAN = ['active', 'unavailable', 'downstream_failed', 'downstream_timeout']

/** Every refusal is one that a caller can act on, and says what is missing. */
export function expectClearAnswers(calls: readonly Call[], inputs: readonly string[]): void {
  const odd = calls.filter(({ outcome }) => !CLEAN.includes(outcome))
  expect(odd.map(({ outcome, status }) => `${outcome} ${String(status)}`)).toEqual([])
  const unavailable = calls.filter(({ outcome }) => outcome === 'unavailable')
  expect(inputs).toEqual(
    expect.arrayContaining([...new Set(unavailable.map(({ input }) => input))]),
  )
}

/**
 * [I1, I2, I3, I7, I10] What was acknowledged is on record, nothing is on record twice, nothing hangs
 * in between, nothing is left at the target, and the ledger verifies.
 */
export async function expectSound(
  { postgres, target, home }: FaultWorld,
  issuer: string,
  calls: readonly Call[],
): Promise<void> {
  await comesToNothing('what hung in between', 75, () =>
    postgres.query(
      `select id, state, end_reason, attempts, next_try_at::text, claimed_until::text from procura.lease
       where state in ('minting', 'revoke_pending') limit 5`,
    ),
  )
  await expectOnRecord(postgres, calls)
  await comesToNothing('what nobody asked for at the target', 75, () =>
    orphans(postgres, target, issuer),
  )
  await comesToNothing('what is not signed', 20, () =>
    postgres.query(
      `select max(index) from ledger.leaf having max(index) >= (select max(size) from ledger.checkpoint)`,
    ),
  )
  const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
  const vkey = vkeyOf(`${new URL(issuer).host}/v1/ledger`, key)
  const pool = new Pool({ connectionString: postgres.url, max: 1 })
  try {
    const verdict = await verifyLedger(fromDatabase(pool, 'main'), { vkeys: [vkey] })
    expect(verdict).toMatchObject({ ok: true })
  } finally {
    await pool.end()
  }
}

type Query = FaultWorld['postgres']

/** Waits until there is none left of it; says what is left if there is. */
async function comesToNothing(
  what: string,
  seconds: number,
  look: () => Promise<readonly object[]>,
): Promise<void> {
  let left: readonly object[] = []
  const isNone = async () => (left = await look()).length === 0
  await eventually(what, isNone, seconds).catch((cause: unknown) => {
    throw new Error(`${what} is left: ${JSON.stringify(left)}`, { cause })
  })
}

async function expectOnRecord(postgres: Query, calls: readonly Call[]): Promise<void> {
  const issued = await postgres.query<{ id: string; n: number }>(
    `select c.id, count(*) as n from procura.v_credential c
     join procura.v_ledger l on l.event_id = c.event_id and l.event_type = 'issuance'
     group by c.id`,
  )
  const onRecord = new Map(issued.map(({ id, n }) => [id, n]))
  const acknowledged = calls.flatMap(({ id }) => (id === null ? [] : [id]))
  expect(new Set(acknowledged).size, 'one answer, one credential').toBe(acknowledged.length)
  expect(
    acknowledged.filter((id) => onRecord.get(id) !== 1),
    'acknowledged, and not on record once',
  ).toEqual([])
  const twice = await postgres.query(
    `select decision_id from procura.v_credential group by 1 having count(*) > 1`,
  )
  expect(twice, 'minted twice').toEqual([])
}

/** Logins of this broker that no live lease names. */
async function orphans(postgres: Query, target: FaultWorld['target'], issuer: string) {
  const there = await target.query<{ name: string }>(
    `select rolname as name from pg_roles where rolname like 'cb\\_%'
       and shobj_description(oid, 'pg_authid') = $1`,
    [`procura ${issuer} orders-db`],
  )
  const ours = await postgres.query<{ name: string }>(
    `select downstream_name as name from procura.v_credential where ended_at is null`,
  )
  const names = new Set(ours.map(({ name }) => name))
  return there.filter(({ name }) => !names.has(name))
}
