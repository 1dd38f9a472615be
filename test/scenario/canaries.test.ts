/** A tool that nobody has a reason to ask for, over real HTTP: what its asker sees, and what becomes of it. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { freshDatabase, freshTarget, type TestDatabase } from '../pg/database.ts'
import { procura } from '../cli/run.ts'
import { alike } from './alike.ts'
import { aDecoy, DOORS, show } from './decoys.ts'
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
import { asked, plant, type Setting, tokenOf, twoBrokers, twoDelivering } from './tempting.ts'

vi.setConfig({ testTimeout: 60_000 })

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

  const alarmed = (words: string, id: string) =>
    eventually('a line in the log', () => {
      const lines = there().at.stderr().split('\n')
      const line = lines.find((it) => it.includes(words) && it.includes(id))
      return Promise.resolve(line?.includes('"level":50') === true)
    })
  const counted = async (kind: 'tool' | 'credential') => {
    const counts = there().at.deciding.map(async (port) => {
      const text = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text()
      const name = `procura_canaries_tripped_total{kind="${kind}"} `
      return Number(text.split(name)[1]?.split('\n')[0] ?? 0)
    })
    return (await Promise.all(counts)).reduce((one, other) => one + other, 0)
  }
  async function verified() {
    const { at, home, database } = there()
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
  }

  it('[CB-46] is refused as any that no rule permits, to the byte, but for ids and the name', async () => {
    const { at } = there()
    const [port = 0] = at.doors
    const [one, other] = [await aTempted(), await aTempted()]
    const canary = await asked({ issuer: at.issuer, port }, await tokenOf(one), master)
    const ordinary = await asked({ issuer: at.issuer, port }, await tokenOf(other), unguarded)
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
      const { told } = await asked({ issuer: at.issuer, port }, session, refund)
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
    const run = await aTempted()
    await refusedCode(run.client.requestCredential(master))
    const entry = (await events('canary_tripped')).at(-1)?.entry ?? '{}'
    const record = JSON.parse(entry) as JsonObject
    const { remediation } = record as { remediation: { target: { id: string }; cause: string } }
    expect(remediation).toMatchObject({ target: { kind: 'instance' }, cause: 'compromised' })
    const { id } = remediation.target
    await alarmed(TOUCHED, id)
    const { length } = await events('canary_tripped')
    await eventually('a count of it', async () => (await counted('tool')) === length)
    await verified()
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

  const broker = () => ({ ...there(), issuer: there().at.issuer })
  const frozen = (run: Run) =>
    eventually(
      'a freeze',
      async () => (await refusedCode(run.client.requestCredential(refund))) === 'frozen',
    )
  const tripped = (id: string) =>
    there().database.query(
      `select from ledger.leaf where event_type = 'canary_tripped' and strpos(entry, $1) > 0`,
      [id],
    )

  it('[CB-46] a decoy is answered as one that was given back, to the byte, and freezes who held it', async () => {
    const run = await aTempted()
    const live = await run.client.requestCredential(refund)
    if (live.status !== 'active') throw new Error('nobody was to be asked')
    const dead = textIn(live.credential, 'token')
    await run.client.giveBack(live.id)
    for (const door of DOORS) {
      const holder = await aTempted()
      const { id, token } = await aDecoy(broker(), holder.agent)
      const [answer, ordinary] = [
        await show(broker(), token, door),
        await show(broker(), dead, door),
      ]
      expect(answer, door).toEqual(ordinary)
      expect(await show(broker(), token, door), door).toEqual(ordinary)
      await frozen(holder)
      expect(await tripped(id), door).toHaveLength(1)
    }
    expect((await run.client.requestCredential(refund)).status).toBe('active')
  })

  it('[CB-46] one that an operator has planted ends what its holder has, with an alarm', async () => {
    const { at, home, by } = there()
    const run = await aTempted()
    const live = await run.client.requestCredential(refund)
    if (live.status !== 'active') throw new Error('nobody was to be asked')
    const env = { ...home.env, PROCURA_ISSUER: at.issuer, PROCURA_KEYS: home.keysDir }
    const label = ['--label', 'beside its key']
    const made = await procura(['canary', 'plant', '--for', run.agent, ...label], { env })
    expect(made).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ey[\w.-]+\n$/) as string,
    })
    const before = await counted('credential')
    expect(await by.service.introspect(made.stdout.trim())).toEqual({ active: false })
    await frozen(run)
    expect(await by.service.introspect(textIn(live.credential, 'token'))).toEqual({ active: false })
    const [id = ''] = /crd_\w+/.exec(made.stderr) ?? []
    await alarmed('a decoy was shown', id)
    await alarmed('beside its key', run.agent)
    await eventually('a count of it', async () => (await counted('credential')) === before + 1)
    const listed = await procura(['canary', 'list', '--json'], { env })
    expect(listed.stdout).toMatch(new RegExp(`"id":"${id}".*"seen_at":"2.*"event":"evt_`))
    expect(listed.stdout + made.stderr).not.toContain(made.stdout.trim())
    await verified()
  })

  it('[CB-46] its id, called through, is none; only a run of its holder is known by it', async () => {
    const { at } = there()
    const [holder, stranger] = [await aTempted(), await aTempted()]
    const { id } = await aDecoy(broker(), holder.agent)
    const unknown = 'crd_01m7ysq11gex8arycvhxvfqv87'
    const [port = 0] = at.doors
    for (const run of [stranger, holder]) {
      const token = await tokenOf(run)
      const [called, ordinary] = [
        await asked({ issuer: at.issuer, port }, token, refund, `/v1/proxy/${id}/x`),
        await asked({ issuer: at.issuer, port }, token, refund, `/v1/proxy/${unknown}/x`),
      ]
      expect(called.status).toBe(404)
      expect(called).toEqual(ordinary)
      const seen = await there().database.query(
        'select from procura.canary where id = $1 and seen_at is not null',
        [id],
      )
      expect(seen).toHaveLength(run === holder ? 1 : 0)
    }
    await frozen(holder)
    expect((await stranger.client.requestCredential(refund)).status).toBe('active')
  })
})

const TOUCHED = 'a canary was touched'
const refund = { tool: 'payments.refund', arguments: REFUND }
const master = { tool: 'payments.master1', arguments: { note: 'all of it' } }
const unguarded = { ...master, tool: 'payments.master2' }
