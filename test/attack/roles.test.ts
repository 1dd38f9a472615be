/** What the database itself refuses to each side, when the code above it is somebody else's. */
import { beforeAll, expect, it } from 'vitest'
import type { Role } from '../../src/db/connect.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})

const DENIED = '42501'
const stateOf = async (role: Role, sql: string) =>
  await database
    .pool(role, 1)
    .query(sql)
    .then(
      () => 'done',
      (error: unknown) => (error as { code?: string }).code,
    )

const SIDES: Role[] = ['procura_front', 'procura_pdp', 'procura_cdp', 'procura_reaper']
const entry = (type: string) => `array['{"event_id":"evt_1","event_type":"${type}","seq":"0"}']`

it.each(SIDES)('[AUD-01] %s writes to the log by its own door only', async (role) => {
  for (const sql of [
    `select ledger.append('main', 0, ${entry('decision')}, array['decision'])`,
    'update ledger.leaf set entry = entry',
    'delete from ledger.leaf',
    'truncate ledger.leaf',
    `insert into ledger.leaf values ('main', 0, 'e', 't', '{}', '')`,
    `insert into ledger.checkpoint values ('main', 1, '', '')`,
    'alter table ledger.leaf disable trigger all',
    'create table ledger.mine ()',
    'create table procura.mine ()',
    'create table public.mine ()',
  ]) {
    expect(await stateOf(role, sql), sql).toMatch(/42501|3F000/)
  }
})

it.each<[Role, string]>([
  ['procura_pdp', 'select 1 from procura.connector_secret'],
  ['procura_pdp', 'select intent from procura.lease'],
  ['procura_pdp', `update procura.lease set state = 'active'`],
  ['procura_pdp', `update procura.approval set status = 'approved'`],
  ['procura_pdp', `update procura.consent set max_uses = 9`],
  ['procura_pdp', `insert into procura.budget values ('main', 'a', 'b', 'max_subtree', 9)`],
  ['procura_pdp', `update procura.budget set bound = 9`],
  ['procura_pdp', `update procura.spent set refunded = false`],
  ['procura_pdp', `select procura.refund_unused('main', 'd')`],
  ['procura_pdp', `select ledger.append_issued('main', 0, ${entry('issuance')})`],
  ['procura_cdp', `select ledger.append_decided('main', 0, ${entry('decision')})`],
  ['procura_cdp', `update procura.budget set used = 0`],
  ['procura_cdp', `update procura.approval set consumed_by = null`],
  ['procura_cdp', `select 1 from procura.decision`],
  ['procura_cdp', `insert into procura.stop values ('main', 'agent', 'a', 1, 'r', now())`],
  ['procura_cdp', `delete from procura.stop`],
  ['procura_cdp', `delete from procura.lease`],
  ['procura_cdp', `update procura.lease set jkt = 'mine'`],
  ['procura_cdp', 'select 1 from procura.canary'],
  ['procura_cdp', 'update procura.canary set seen_at = now()'],
  ['procura_cdp', `update procura.canary set holder = 'a'`],
  ['procura_cdp', `insert into procura.canary default values`],
  ['procura_pdp', 'select 1 from procura.canary'],
  ['procura_reaper', `select procura.canary_shown('main', 'x')`],
  ['procura_reaper', `select procura.canary_called('main', 'x', 'a')`],
  ['procura_reaper', `select ledger.append_decided('main', 0, ${entry('decision')})`],
  ['procura_reaper', `update procura.connector_secret set ciphertext = ''`],
  ['procura_front', 'select 1 from procura.connector_secret'],
  ['procura_front', `select ledger.append_decided('main', 0, ${entry('decision')})`],
  ['procura_front', `select ledger.append_issued('main', 0, ${entry('issuance')})`],
  ['procura_front', `insert into procura.decision default values`],
  ['procura_front', `update procura.budget set used = 0`],
  ['procura_front', `update procura.approval set consumed_by = null`],
  ['procura_front', `delete from procura.stop`],
  ['procura_front', `update procura.canary set seen_at = null`],
  ['procura_front', `delete from procura.canary`],
  ['procura_front', `update procura.lease set state = 'active'`],
  ['procura_front', `select procura.refund_unused('main', 'd')`],
  ['procura_verify', 'select consent_jwt from procura.consent'],
  ['procura_verify', 'select 1 from procura.sealed_payload'],
])('[WAL-02, WAL-03] %s may not: %s', async (role, sql) => {
  expect(await stateOf(role, sql)).toBe(DENIED)
})

it.each<[Role, string, string]>([
  ['procura_front', 'append_registered', 'decision'],
  ['procura_pdp', 'append_decided', 'issuance'],
  ['procura_pdp', 'append_decided', 'canary_tripped'],
  ['procura_cdp', 'append_issued', 'decision'],
  ['procura_cdp', 'append_issued', 'canary_tripped'],
  ['procura_reaper', 'append_issued', 'approval_decided'],
])('[WAL-03] %s cannot put an event of another side through %s', async (role, door, type) => {
  expect(await stateOf(role, `select ledger.${door}('main', 0, ${entry(type)})`)).toBe('P0001')
  expect(await database.query('select 1 from ledger.leaf')).toEqual([])
})

it('[WAL-03] the delivering role cannot turn what was redeemed into what may be given back', async () => {
  await database.query(`
    insert into procura.spent values ('main', 'dec_1', 'con_1', 'calls', 'max_subtree', 1);
    insert into procura.budget values ('main', 'con_1', 'calls', 'max_subtree', 1, 1);
    insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
      sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at, ended_at)
    values ('main', 'crd_1', 'dec_1', 'redeemed', 'jwt', 'payments', 'cb_' || repeat('a', 26),
      's', 'a', 'i', 'con_1', 'k', '{}', 0, now(), now() + interval '1 min', now())`)
  for (const role of ['procura_cdp', 'procura_reaper'] as const) {
    const pool = database.pool(role, 1)
    const refunded = await pool.query(`select * from procura.refund_unused('main', 'dec_1')`)
    expect(refunded.rows).toEqual([])
    for (const state of ['returned', 'expired', 'revoked', 'failed', 'active', 'minting']) {
      expect(await stateOf(role, `update procura.lease set state = '${state}'`), state).toBe(
        'P0001',
      )
    }
    expect(await stateOf(role, `update procura.lease set expires_at = 'infinity'`)).not.toBe('done')
  }
  expect(await database.query('select used from procura.budget')).toEqual([{ used: 1 }])
})

it('[REV-08] no role makes a lease that does not end', async () => {
  for (const expiry of ['null', `'infinity'`]) {
    const sql = `insert into procura.lease (tenant, id, decision_id, state, connector, target,
      downstream_name, sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at,
      expires_at) values ('main', 'crd_2', 'dec_2', 'active', 'jwt', 'p', 'cb_' || repeat('b', 26),
      's', 'a', 'i', 'c', 'k', '{}', 0, now(), ${expiry})`
    expect(await stateOf('procura_cdp', sql)).toMatch(/^23/)
  }
})
