/**
 * Somebody has broken the delivering process: they have its login, its keys, its certificate and whatever
 * agents send it. What they can do with it is played here, and it is less than deciding.
 */
import { createPublicKey, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { textIn } from '../../src/cli/member.ts'
import { createCdp } from '../../src/delivery/cdp.ts'
import { jwt } from '../../src/delivery/connectors/jwt.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import { newId } from '../../src/domain/ids.ts'
import { parseTrusted } from '../../src/domain/json.ts'
import { signToken } from '../../src/domain/jws.ts'
import type { Presented } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { createLog } from '../../src/ledger/log.ts'
import { NOTHING_TO_SEAL } from '../../src/ledger/sealed.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { createAsking } from '../../src/peer/asking.ts'
import { openSome } from '../../src/pools.ts'
import { loadCdpKeys } from '../../src/side-keys.ts'
import { freshDatabase, freshTarget, type TestDatabase } from '../pg/database.ts'
import {
  aHouse,
  aRun,
  callers,
  COUNT,
  eventually,
  type House,
  READING,
  REFUND,
  REFUNDING,
} from '../scenario/house.ts'
import { aSplit, type Split, type SplitBroker, startSplit } from '../scenario/two-processes.ts'
import { signedFor, tally } from './two-brokers.ts'

let database: TestDatabase
let home: House
let split: Split
let broker: SplitBroker

beforeAll(async () => {
  const target = await freshTarget()
  database = await freshDatabase()
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  home = await aHouse({ databaseUrl: database.url, shop })
  split = await aSplit(database, home)
  broker = await startSplit(split)
}, 120_000)

const ROLES = ['procura_cdp', 'procura_reaper']

/** The stolen login: answers `done`, how many rows, or the SQLSTATE. */
async function aThief(role: string) {
  const client = new Client(split.env.cdp['DATABASE_URL'])
  await client.connect()
  await client.query(`set role ${role}`)
  onTestFinished(() => client.end())
  return async (sql: string) =>
    await client.query(sql).then(
      ({ rowCount }) => rowCount,
      (error: unknown) => (error as { code?: string }).code,
    )
}

/** The stolen line: all that the certificate opens. */
function aLine() {
  const { env } = split
  const file = (name: string) => readFileSync(env.cdp[name] ?? '', 'utf8')
  const line = createAsking({
    url: env.cdp['PROCURA_PEER_URL'] ?? '',
    tls: {
      ...{ cert: file('PROCURA_PEER_CERT'), key: new Secret(file('PROCURA_PEER_KEY')) },
      ...{ ca: file('PROCURA_PEER_CA'), name: 'procura-pdp' },
    },
    ...{ socketsMax: 4, meter: { count: () => undefined } },
  })
  onTestFinished(() => {
    line.end()
  })
  return line
}

const presented = (of: Partial<Presented>): Presented => ({
  ...{ method: 'POST', path: '/v1/credentials', authorization: null, dpop: null },
  ...{ idempotencyKey: null, body: Buffer.from('{}'), requestId: randomUUID(), face: 'native' },
  origin: { address: '127.0.0.1', userAgent: null },
  ...of,
})

const codeOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'done',
    (error: unknown) => (error instanceof BrokerError ? error.code : error),
  )

it.each(ROLES)(
  '[TM-1] as %s they write no decision, approval, budget, consent or stop',
  async (role) => {
    const sql = await aThief(role)
    for (const attempt of [
      `select ledger.append_decided('main', 0, array['{}'])`,
      `select ledger.append_registered('main', 0, array['{}'])`,
      'insert into procura.decision default values',
      `update procura.decision set answer = 'allow'`,
      'insert into procura.approval default values',
      'update procura.approval set consumed_by = null',
      'update procura.budget set used = 0',
      'insert into procura.spent default values',
      'insert into procura.consent default values',
      'insert into procura.session default values',
      'delete from procura.stop',
      'delete from procura.used_proof',
      'select * from procura.sealed_payload',
      'select * from procura.person',
      'insert into ledger.checkpoint default values',
      ...['procura_front', 'procura_pdp', 'procura_owner', 'procura_signer', 'procura_ledger'].map(
        (other) => `set role ${other}`,
      ),
    ]) {
      expect(await sql(attempt), attempt).toBe('42501')
    }
  },
)

it.each(ROLES)('[TM-1] as %s they open no target that nothing was decided about', async (role) => {
  const sql = await aThief(role)
  expect(await sql('select ciphertext from procura.connector_secret')).toBe('42501')
  const name = `cb_${'abcdefghij'.charAt(ROLES.indexOf(role)).repeat(26)}`
  const made = await sql(
    `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
       sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at)
     values ('main', '${newId('crd', new Date())}', '${newId('dec', new Date())}', 'minting',
       'postgres', 'orders-db', '${name}', 's', 'a', 'i', 'c', 'k', '{}', 0, now(), now() + interval '1 min')`,
  )
  expect(made, 'a lease without a decision').toBe(1)
  expect(await sql(`select * from procura.sealed_secret('main', 'orders-db', '${name}')`)).toBe(0)
  await database.query('delete from procura.lease where downstream_name = $1', [name])
  const looks = await sql(`select * from procura.sealed_secret_to_look('main', 'orders-db')`)
  expect(looks).toBe(role === 'procura_reaper' ? 0 : '42501')
})

it('[TM-1] in their folder there is nothing to sign a decision, a session or the log with', async () => {
  const folder = join(split.keysDir, 'cdp')
  expect(readdirSync(folder).sort()).toEqual(['credentials.json', 'decisions.json', 'seal.key'])
  expect(readFileSync(join(folder, 'decisions.json'), 'utf8')).not.toContain('"d":')
  const keys = await loadCdpKeys(folder)
  expect(Object.keys(keys.decisions[0]).sort()).toEqual(['alg', 'kid', 'publicKey'])
  const seals = ['pdp', 'cdp'].map((side) =>
    readFileSync(join(split.keysDir, side, 'seal.key'), 'utf8'),
  )
  expect(seals[0], 'what identifies people has a seal of its own').not.toBe(seals[1])
})

it('[TM-1] over their line nothing is decided but what an agent itself has asked, once', async () => {
  const line = aLine()
  const { issuer } = broker
  const run = await aRun(callers(home, issuer).as('ana'), issuer, READING)
  const before = await decisions()
  const body = JSON.stringify({ tool: 'sql.query', arguments: { sql: COUNT } })
  expect(await codeOf(line.decide(presented({ body: Buffer.from(body) })))).toBe('invalid_token')

  // A session that they sign themselves, with the only key they have.
  const keys = await loadCdpKeys(join(split.keysDir, 'cdp'))
  const iat = Math.floor(Date.now() / 1000)
  const forged = await signToken(
    'session',
    { iat, exp: iat + 60 },
    { issuer, keys: keys.credentials },
  )
  const withForged = presented({ authorization: `DPoP ${forged}`, dpop: 'x.y.z' })
  expect(await codeOf(line.decide(withForged))).toBe('invalid_token')

  // What an agent sent, but another body; and as if it had been sent elsewhere.
  const { authorization, dpop } = await signedFor(run, issuer, body)
  const taken = presented({ authorization, dpop, body: Buffer.from(body) })
  const other = { ...taken, body: Buffer.from(body.replace('orders', 'payroll')) }
  expect(await codeOf(line.decide(other))).toBe('invalid_dpop_proof')
  expect(await codeOf(line.decide({ ...taken, path: '/v1/proxy/x/y' }))).toBe('malformed_request')
  expect(await codeOf(line.decide({ ...taken, method: 'DELETE' }))).toBe('malformed_request')
  expect(await decisions(), 'nothing was decided').toBe(before)

  // What it sent is decided once, under the key that it is bound to.
  const again = await signedFor(run, issuer, body)
  const { authorization: session, dpop: proof } = again
  const asked = presented({ authorization: session, dpop: proof, body: Buffer.from(body) })
  expect(await line.decide(asked)).toMatchObject({ kind: 'allow' })
  expect(await codeOf(line.decide(asked))).toBe('invalid_dpop_proof')
  expect(await decisions()).toBe(before + 1)
})

it('[WAL-05] a decision that they redeem fifty times over two processes is one lease', async () => {
  const { issuer } = broker
  const run = await aRun(callers(home, issuer).as('kim'), issuer, REFUNDING)
  const body = JSON.stringify({ tool: 'payments.refund', arguments: REFUND })
  const { authorization, dpop } = await signedFor(run, issuer, body)
  const asked = presented({ authorization, dpop, body: Buffer.from(body) })
  const ruling = await aLine().decide(asked)
  if (ruling.kind !== 'allow') throw new Error('it was to be allowed')

  const both = await Promise.all([aDelivery(), aDelivery()])
  const redeemed = await Promise.allSettled(
    Array.from({ length: 50 }, async (_, n) => await both[n % 2]?.redeem(ruling.signed, asked)),
  )
  const codes = redeemed.map((it) =>
    it.status === 'fulfilled' ? 'done' : (it.reason as BrokerError).code,
  )
  expect(tally(codes)).toEqual({ done: 1, decision_stale: 49 })
  const leases = await database.query('select from procura.lease where consent = $1', [run.consent])
  expect(leases).toHaveLength(1)
})

/** The delivering half, as somebody runs it with what they have stolen. */
async function aDelivery() {
  const { issuer } = broker
  const keys = await loadCdpKeys(join(split.keysDir, 'cdp'))
  const pools = openSome(new Secret(split.env.cdp['DATABASE_URL'] ?? ''), ['cdp'])
  onTestFinished(() => pools.end())
  const trust = readFileSync(home.env['PROCURA_TRUST'] ?? '', 'utf8')
  const { targets } = parseTrusted(trust) as unknown as {
    targets: Parameters<typeof createTargets>[1]
  }
  const tokens = Object.entries(targets).filter(([, { connector }]) => connector === 'jwt')
  const kinds = [kindOf(jwt({ issuer, keys: keys.credentials }))]
  const own = { tenant: 'main', pool: pools.cdp }
  return createCdp({
    ...{ ...own, targets: createTargets(kinds, Object.fromEntries(tokens)) },
    ledger: createLog({ ...own, door: 'append_issued', sealer: NOTHING_TO_SEAL }),
    decisions: { issuer, keys: keys.decisions },
  })
}

async function decisions(): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from procura.decision',
  )
  return row?.n ?? -1
}

it('[TM-1] an issuance that they put on record without a decision is found', async () => {
  const { issuer } = broker
  const run = await aRun(callers(home, issuer).as('ana'), issuer, READING)
  const made = await run.client.requestCredential({ tool: 'sql.query', arguments: { sql: COUNT } })
  if (made.status !== 'active') throw new Error('nobody was to be asked')
  const lines = () => fromDatabase(database.pool('procura_verify'), 'main')
  const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
  const vkeys = [vkeyOf(`${new URL(issuer).host}/v1/ledger`, key)]
  expect(await verifyLedger(lines(), { vkeys })).toMatchObject({ ok: true })

  const event = textIn(made.body, 'event_id')
  const [row] = await database.query<{ entry: string }>(
    'select entry from ledger.leaf where event_id = $1',
    [event],
  )
  const client = new Client(split.env.cdp['DATABASE_URL'])
  await client.connect()
  onTestFinished(() => client.end())
  await client.query('begin; set local role procura_cdp')
  const turn = await client.query<{ next: string }>(`select next from ledger.turn('main')`)
  const next = turn.rows[0]?.next ?? ''
  const forged = (row?.entry ?? '')
    .replaceAll(event, newId('evt', new Date()))
    .replaceAll(textIn(made.body, 'decision_id'), newId('dec', new Date()))
    .replaceAll(made.id, newId('crd', new Date()))
    .replace(/"seq":\d+/, `"seq":${next}`)
  await client.query('select ledger.append_issued($1, $2, $3)', ['main', next, [forged]])
  await client.query('commit')
  await eventually('that an auditor finds it', async () => {
    const { ok } = await verifyLedger(lines(), { vkeys })
    return ok === false
  })
})
