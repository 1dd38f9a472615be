/** A tool that nobody has a reason to ask for, over real HTTP: what its asker sees, and what becomes of it. */
import { createPublicKey, randomUUID } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import { sha256 } from '../../src/domain/digest.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { freshDatabase, freshTarget, type TestDatabase } from '../pg/database.ts'
import { startBalancer } from './balancer.ts'
import { type BrokerProcess, startBroker } from './broker.ts'
import {
  aHouse,
  aRun,
  callers,
  eventually,
  type House,
  REFUND,
  REFUNDING,
  type Run,
} from './house.ts'
import type { Place } from './shapes.ts'
import { aSplit, startSplit } from './two-processes.ts'

vi.setConfig({ testTimeout: 60_000 })

interface Setting {
  readonly issuer: string
  /** Whoever is asked for credentials: ports. */
  readonly doors: readonly number[]
  readonly stderr: () => string
  /** Whoever trips: ports. */
  readonly deciding: readonly number[]
}

/** Two replicas on one database. */
async function twoBrokers({ home }: Place): Promise<Setting> {
  const balancer = await startBalancer()
  const env = { ...home.env, PROCURA_ISSUER: balancer.origin }
  const brokers: BrokerProcess[] = await Promise.all([
    startBroker(env),
    startBroker({ ...env, PROCURA_CHECKPOINTS: join(home.dataDir, 'checkpoints-2') }),
  ])
  const doors = brokers.map(({ port }) => port)
  balancer.to(...doors)
  const stderr = () => brokers.map((it) => it.stderr() + it.stdout()).join('')
  return { issuer: balancer.origin, doors, deciding: doors, stderr }
}

/** One that decides, and two that deliver. */
async function twoDelivering({ home, database }: Place): Promise<Setting> {
  const split = await startSplit(await aSplit(database, home), 2)
  const { issuer, pdp, cdps } = split
  const stderr = () => split.stderr() + split.stdout()
  return { issuer, doors: cdps.map(({ port }) => port), deciding: [pdp.port], stderr }
}

describe.each([
  ['two brokers', twoBrokers],
  ['two delivering processes', twoDelivering],
])('a tool that is a canary, over %s', (_two, start) => {
  let [home, database, at]: [House | null, TestDatabase | null, Setting | null] = [null, null, null]
  const there = () => {
    if (home === null || database === null || at === null) throw new Error('not begun')
    return { home, database, at, by: callers(home, at.issuer) }
  }

  beforeAll(async () => {
    database = await freshDatabase()
    const target = await freshTarget()
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    home = await aHouse({ databaseUrl: database.url, shop })
    plant(home.env['PROCURA_POLICIES'] ?? '')
    at = await start({ home, database })
  }, 120_000)

  const aTempted = () =>
    aRun(there().by.as('kim'), there().at.issuer, {
      ...{ ...REFUNDING, tools: ['payments.*'] },
    })
  const events = (type: string) =>
    there().database.query<{ index: number; entry: string }>(
      'select index, entry from ledger.leaf where event_type = $1 order by index',
      [type],
    )
  const refusedCode = async (attempt: Promise<unknown>) => {
    const error: unknown = await attempt.then(
      () => 'nothing',
      (thrown: unknown) => thrown,
    )
    return error instanceof Refused ? error.code : error
  }

  it('[CB-46] is refused as any that no rule permits, to the byte, but for ids and the name', async () => {
    const { at } = there()
    const [port = 0] = at.doors
    const [one, other] = [await aTempted(), await aTempted()]
    const canary = await asked(at.issuer, port, await tokenOf(one), master)
    const ordinary = await asked(at.issuer, port, await tokenOf(other), unguarded)
    expect(canary.status).toBe(403)
    expect(canary.told).toContain('"code":"access_denied"')
    expect(canary.told).toContain('"reason":"no_permit"')
    expect(canary).toEqual(ordinary)
  })

  it('[CB-46] ends the run that asked: its live credential, and all it asks anybody after', async () => {
    const { at, by } = there()
    const run = await aTempted()
    const live = await run.client.requestCredential(refund)
    if (live.status !== 'active') throw new Error('nobody was to be asked')
    const token = textIn(live.credential, 'token')
    const session = await tokenOf(run)
    expect(await by.service.introspect(token)).toMatchObject({ active: true })

    const before = (await events('canary_tripped')).length
    expect(await refusedCode(run.client.requestCredential(master, 'the-same-key'))).toBe(
      'access_denied',
    )
    // On record before it was told.
    const tripped = await events('canary_tripped')
    expect(tripped).toHaveLength(before + 1)
    expect(await by.service.introspect(token)).toEqual({ active: false })
    for (const port of at.doors) {
      const { told } = await asked(at.issuer, port, session, refund)
      expect(told).toContain('"code":"chain_invalid"')
    }
    await eventually('the end of its credential', async () => {
      const [lease] = await there().database.query<{ ended: boolean }>(
        'select ended_at is not null as ended from procura.lease where id = $1',
        [live.id],
      )
      return lease?.ended === true
    })

    // Again, and with another key: nothing more happens.
    await refusedCode(run.client.requestCredential(master, 'the-same-key'))
    await refusedCode(run.client.requestCredential(master))
    expect(await events('canary_tripped')).toHaveLength(before + 1)
  })

  it('raises an alarm, and an event that the ledger is verified with', async () => {
    const { at, home, database } = there()
    const run = await aTempted()
    await refusedCode(run.client.requestCredential(master))
    const entry = (await events('canary_tripped')).at(-1)?.entry ?? '{}'
    const record = JSON.parse(entry) as JsonObject
    const { remediation } = record as { remediation: { target: { id: string }; cause: string } }
    expect(remediation).toMatchObject({ target: { kind: 'instance' }, cause: 'compromised' })
    const { id } = remediation.target
    await eventually('a line in the log', () => {
      const line = at
        .stderr()
        .split('\n')
        .find((it) => it.includes(TOUCHED) && it.includes(id))
      return Promise.resolve(line?.includes('"level":50') === true)
    })
    const counted = async (port: number) => {
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text()
      return Number(/procura_canaries_tripped_total\{kind="tool"\} (\d+)/.exec(text)?.[1] ?? 0)
    }
    await eventually('a count of it', async () => {
      const counts = await Promise.all(at.deciding.map(counted))
      const all = counts.reduce((one, other) => one + other, 0)
      return all === (await events('canary_tripped')).length
    })

    const leaves = await eventually('a checkpoint over all', async () => {
      const [row] = await database.query<{ leaves: number; signed: number }>(
        `select (select count(*) from ledger.leaf) as leaves,
                (select max(size) from ledger.checkpoint) as signed`,
      )
      return row?.leaves === row?.signed ? (row?.leaves ?? null) : null
    })
    const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
    const vkeys = [vkeyOf(`${new URL(at.issuer).host}/v1/ledger`, key)]
    const verdict = await verifyLedger(fromDatabase(database.pool('procura_verify'), 'main'), {
      vkeys,
    })
    expect(verdict).toMatchObject({ ok: true, entries: leaves })
  })

  it('is explained as any other, and that harms nobody', async () => {
    const run = await aTempted()
    const before = (await events('canary_tripped')).length
    const [canary, ordinary] = [
      await run.client.explain(master),
      await run.client.explain(unguarded),
    ]
    expect(canary).toMatchObject({ answer: 'deny', would_be: { status: 403 } })
    expect(Object.keys(canary)).toEqual(Object.keys(ordinary))
    expect(alike(canonical(canary))).toBe(alike(canonical(ordinary)))
    const answer = await run.client.requestCredential(refund)
    expect(answer.status).toBe('active')
    expect(await events('canary_tripped')).toHaveLength(before)
  })
})

const TOUCHED = 'a canary was touched'
const refund = { tool: 'payments.refund', arguments: REFUND }
const master = { tool: 'payments.master1', arguments: { note: 'all of it' } }
const unguarded = { ...master, tool: 'payments.master2' }

/** Two tools that differ in their names, and in that one is a canary, and permitted by a rule. */
function plant(policies: string): void {
  const declared = (name: string, more: string) => `name: ${name}
title: The master credential
target: payments
connector: jwt
groups: [payments]
risk: high
sender_constraint: dpop
arguments: { type: object, required: [note], properties: { note: { type: string, maxLength: 64 } } }
facts: { kind: arguments, fields: { note: note } }
grant: { audience: "https://payments.example" }
${more}
`
  const tool = (name: string) => join(policies, 'tools', `${name}.yaml`)
  writeFileSync(tool('payments.master1'), declared('payments.master1', 'canary: true'))
  writeFileSync(tool('payments.master2'), declared('payments.master2', ''))
  writeFileSync(
    join(policies, 'masters.cedar'),
    `@id("masters1") permit (principal, action == Action::"payments.master1", resource);
    @id("masters2") permit (principal, action == Action::"payments.master2", resource)
    when { context.purpose == "reporting" };`,
  )
}

/** One request at this very process: all that comes back, without what differs from call to call. */
async function asked(
  issuer: string,
  port: number,
  { token, key }: Pick<Run, 'key'> & { readonly token: string },
  asking: JsonObject,
) {
  const body = canonical(asking)
  const send = async (nonce: JsonObject) => {
    const proof = {
      ...{ jti: randomUUID(), htm: 'POST', htu: `${issuer}/v1/credentials`, ...nonce },
      ...{ iat: Math.floor(Date.now() / 1000), ath: sha256(token), body_sha256: sha256(body) },
    }
    const dpop = key.sign('dpop+jwt', proof, { jwk: key.publicJwk })
    const own = { authorization: `DPoP ${token}`, dpop, 'idempotency-key': randomUUID() }
    const headers = { ...own, 'content-type': 'application/json' }
    const url = `http://127.0.0.1:${String(port)}/v1/credentials`
    return await fetch(url, { method: 'POST', headers, body })
  }
  const nonce = (await send({})).headers.get('dpop-nonce')
  const response = await send({ nonce })
  const headers = [...response.headers].map(([name, value]) => [name, alike(value)])
  return { status: response.status, headers, told: alike(await response.text()) }
}

const tokenOf = async ({ client, key }: Run) => ({
  ...{ key, token: textIn(await client.connect(), 'access_token') },
})

/** Ids, times and hashes are of each call: their form is left, and what they are is not. */
function alike(text: string): string {
  return text
    .replaceAll(/(masters?)[12]/g, '$1')
    .replaceAll(/\b([a-z]{3})_[0-9a-z]{26}/g, '$1_id')
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/g, 'uuid')
    .replaceAll(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, 'time')
    .replaceAll(/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [^"]* GMT/g, 'date')
    .replaceAll(/"(args_hash|context_hash|facts_hash)":"[\w-]{43}"/g, '"$1":"hash"')
}
