/** Callers who want more than one of a thing, or something after its end, from two brokers at once. */
import { createPublicKey, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { textIn } from '../../src/cli/member.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { aRun, COUNT, eventually, READING, REFUNDING } from '../scenario/house.ts'
import {
  codeOf,
  outcomes,
  query,
  refund,
  signedFor,
  tally,
  twoBrokers,
  twoDelivering,
  untilAnswered,
} from './two-brokers.ts'

const [ROUNDS, COPIES, LOAD] = [36, 50, 60]

describe.each([
  ['two brokers', twoBrokers],
  ['two delivering processes', twoDelivering],
])('%s', (_what, start) => {
  let { database, home, brokers, issuer, by } = {} as Awaited<ReturnType<typeof twoBrokers>>
  beforeAll(async () => {
    ;({ database, home, brokers, issuer, by } = await start())
  })

  const portOf = (n: number) => brokers[n % 2]?.port ?? 0

  async function post(n: number, headers: Record<string, string>, body: string) {
    const url = `http://127.0.0.1:${String(portOf(n))}/v1/credentials`
    return await fetch(url, { method: 'POST', headers, body })
  }

  it('[DPP-14] one proof in fifty copies over both is one request', async () => {
    const run = await aRun(by.as('kim'), issuer, REFUNDING)
    const body = JSON.stringify(refund)
    const fixed = await signedFor(run, issuer, body)
    const answers = await Promise.all(
      Array.from({ length: COPIES }, (_, n) =>
        post(n, { ...fixed, 'idempotency-key': n % 4 < 2 ? 'the-same-key' : randomUUID() }, body),
      ),
    )
    expect(tally(answers.map(({ status }) => String(status)))).toEqual({ 201: 1, 401: COPIES - 1 })
  })

  it('[DEL-22] one key, many proofs, both brokers: one credential, and its secret once', async () => {
    const run = await aRun(by.as('kim'), issuer, REFUNDING)
    await run.client.connect()
    const asked = Array.from({ length: 20 }, () =>
      run.client.requestCredential(refund, 'one-key-for-all'),
    )
    const codes = await outcomes(asked)
    expect(codes['done']).toBe(1)
    const others = Object.keys(codes).filter((code) => code !== 'done')
    expect(['idempotency_in_flight', 'idempotency_replayed']).toEqual(
      expect.arrayContaining(others),
    )
    const [row] = await database.query(
      `select count(*)::int as n from procura.lease where consent = $1`,
      [run.consent],
    )
    expect(row).toEqual({ n: 1 })
  })

  const drop = query('drop table orders_archive')

  /** A run that has asked for it, and the answers that a person who is asked may give. */
  async function anAsked() {
    const run = await aRun(by.as('kim'), issuer, { tools: ['sql.query'], purpose: 'maintenance' })
    const asked = await run.client.requestCredential(drop)
    if (asked.status !== 'pending') throw new Error('somebody was to be asked')
    const path = `/v1/approvals/${asked.approval}`
    const { binding_hash: hash = null } = await by.as('ben').get(path)
    const answer = (decision: 'approve' | 'deny') =>
      by.as('ben').post(`${path}/decision`, { decision, binding_hash: hash })
    return { run, answer, held: { ...drop, approval: asked.approval } }
  }

  async function expectOneAlive({ consent }: { consent: string }) {
    const [alive] = await database.query(
      `select count(*)::int as n from procura.lease where consent = $1 and due_at is not null`,
      [consent],
    )
    expect(alive).toEqual({ n: 1 })
  }

  it('[APR-05] one yes over both is one login', async () => {
    const { run, answer, held } = await anAsked()
    const answers = Array.from({ length: 4 }, () => answer('approve'))
    expect((await outcomes(answers))['done']).toBeGreaterThan(0)
    expect(await outcomes([answer('deny')])).toEqual({ conflict: 1 })
    const uses = Array.from({ length: 20 }, () =>
      untilAnswered(() => run.client.requestCredential(held)),
    )
    expect(await outcomes(uses)).toEqual({ done: 1, approval_consumed: 19 })
    await expectOneAlive(run)
  })

  it('[APR-05, DEL-22] one yes under one key is one login, and nobody is told that it was another’s', async () => {
    const { run, answer, held } = await anAsked()
    await answer('approve')
    const uses = Array.from({ length: 20 }, async (_, n) => {
      await pause(n * 3)
      return await untilAnswered(() => run.client.requestCredential(held, 'one-key-for-the-yes'))
    })
    const { done, ...others } = await outcomes(uses)
    expect(done).toBe(1)
    const told = ['idempotency_in_flight', 'idempotency_replayed']
    expect(told).toEqual(expect.arrayContaining(Object.keys(others)))
    await expectOneAlive(run)
  })

  it('[TOK-08] one token is spent once over both, or given back', async () => {
    const run = await aRun(by.as('kim'), issuer, REFUNDING)
    const answer = await run.client.requestCredential(refund)
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const token = textIn(answer.credential, 'token')
    const spending = {
      ...{
        token,
        tool: refund.tool,
        args_hash: textIn(answer.body, 'args_hash'),
        proof_checked: true,
      },
    }
    const spent = Array.from({ length: COPIES }, () => by.service.post('/v1/redemptions', spending))
    const given = Array.from({ length: 4 }, () => run.client.giveBack(answer.id))
    const [redeemed, back] = await Promise.all([outcomes(spent), outcomes(given)])
    expect((redeemed['done'] ?? 0) + (back['done'] === undefined ? 0 : 1)).toBe(1)
  })

  it('[REV-02, F61] nothing is issued after the end of a consent or agent was acknowledged', async () => {
    const broken: string[] = []
    const round = async (n: number) => {
      const isSql = n % 3 === 0
      const sponsor = by.as(isSql ? 'ana' : 'kim')
      const run = await aRun(sponsor, issuer, isSql ? READING : REFUNDING)
      await run.client.connect()
      const ask = () =>
        untilAnswered(() => run.client.requestCredential(isSql ? query(COUNT) : refund))
      const before = [ask(), ask()]
      const path = n % 2 === 0 ? `/v1/consents/${run.consent}` : `/v1/agents/${run.agent}`
      // At any time, or as soon as one of them has got it; and one more is asked for at that very moment.
      const due =
        n % 4 < 2 ? pause(Math.random() * 250) : Promise.any(before).catch(() => undefined)
      const ended = due.then(() => untilAnswered(() => sponsor.delete(path)))
      const after = ended.then(ask)
      const results = await Promise.allSettled([...before, due.then(ask), after])
      await ended // What was not ended tells nothing of its end.
      if (results.at(-1)?.status === 'fulfilled') broken.push('issued after the end')
      for (const it of results) {
        if (it.status === 'rejected') {
          const code = codeOf(it.reason)
          if (!['chain_invalid', 'invalid_token', 'invalid_client', 'invalid_grant'].includes(code))
            broken.push(code)
        } else if (it.value.status === 'active' && !isSql) {
          const state = await by.service.introspect(textIn(it.value.credential, 'token'))
          if (state['active'] !== false) broken.push('alive after the end')
        }
      }
      return results.filter((it) => it.status === 'fulfilled' && it.value.status === 'active')
        .length
    }
    const issued: number[] = []
    for (let n = 0; n < ROUNDS; n += 6) {
      issued.push(...(await Promise.all(Array.from({ length: 6 }, (_, k) => round(n + k)))))
    }
    expect(broken).toEqual([])
    const withSome = issued.filter((answers) => answers > 0).length
    expect(withSome, 'rounds that issued before the end').toBeGreaterThanOrEqual(ROUNDS / 2)
    const late = await database.query(
      `with leaf as (select index, event_type, entry::jsonb as e from ledger.leaf)
     select i.e ->> 'event_id' as id from leaf i
     join procura.lease l on l.event_id = i.e ->> 'event_id'
     join procura.revocation r on r.target_id in (l.consent, l.agent)
     join leaf s on s.e ->> 'event_id' = r.event_id
     where i.event_type = 'issuance' and i.index > s.index`,
    )
    expect(late).toEqual([])
    await eventually('the end of all that was stopped', async () => {
      const alive = await database.query(
        `select 1 from procura.lease l join procura.revocation r on r.target_id in (l.consent, l.agent)
       where l.ended_at is null`,
      )
      return alive.length === 0
    })
  }, 90_000)

  it('[DEL-23] a caller who hangs up gets nothing that lives on', async () => {
    const run = await aRun(by.as('ana'), issuer, { ...READING, max_uses: 50 })
    const body = JSON.stringify(query(COUNT))
    for (let n = 0; n < 10; n += 1) {
      const fixed = await signedFor(run, issuer, body)
      const socket = connect(portOf(n), '127.0.0.1')
      socket.on('error', () => undefined)
      const head = Object.entries({
        ...{ ...fixed, host: 'x', 'idempotency-key': `gone-away-${String(n)}` },
        'content-length': String(body.length),
      }).map(([name, value]) => `${name}: ${value}`)
      socket.write(`POST /v1/credentials HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n${body}`)
      await pause(n)
      socket.destroy()
    }
    await eventually('their end', async () => {
      const rows = await database.query<{ state: string; reason: string | null; n: number }>(
        `select state, end_reason as reason, count(*)::int as n from procura.lease where consent = $1 group by 1, 2`,
        [run.consent],
      )
      return rows.every(({ state }) => state === 'revoked')
    })
  })

  it('[F27, F29] connections that break under load give a clear no, or all of a yes', async () => {
    const kim = await aRun(by.as('kim'), issuer, { ...REFUNDING, max_uses: 500 })
    const ana = await aRun(by.as('ana'), issuer, { ...READING, max_uses: 500 })
    await Promise.all([kim.client.connect(), ana.client.connect()])
    const count = query(COUNT)
    const end = new AbortController()
    const breaking = (async () => {
      while (!end.signal.aborted) {
        await database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()
           and application_name <> 'test' and random() < 0.2`,
        )
        await pause(10)
      }
    })()
    const given: string[] = []
    const codes: string[] = []
    for (let n = 0; n < LOAD; n += 10) {
      const calls = Array.from({ length: 10 }, async (_, k) => {
        const answer = await (k % 2
          ? kim.client.requestCredential(refund)
          : ana.client.requestCredential(count))
        if (answer.status === 'active') given.push(answer.id)
      })
      const settled = await Promise.allSettled(calls)
      codes.push(...settled.map((it) => (it.status === 'rejected' ? codeOf(it.reason) : 'done')))
    }
    end.abort()
    await breaking
    const allowed = ['done', 'unavailable', 'downstream_failed', 'downstream_timeout']
    expect(allowed).toEqual(expect.arrayContaining([...new Set(codes)]))
    for (const run of [kim, ana])
      expect(
        (await untilAnswered(() => run.client.requestCredential(run === kim ? refund : count)))
          .status,
      ).toBe('active')

    const orphans = await database.query(
      `select l.id from procura.lease l where l.id = any($1::text[])
       and not exists (select from ledger.leaf i where i.event_id = l.event_id and i.event_type = 'issuance')`,
      [given],
    )
    expect(orphans).toEqual([])
    const undecided = await database.query(
      `select 1 from procura.lease l where not exists (
       select from procura.decision d where d.id = l.decision_id and d.answer = 'allow')`,
    )
    expect(undecided).toEqual([])
    const accounts = await database.query<{ used: number; spent: number }>(
      `select b.used, (select coalesce(sum(s.amount), 0)::bigint from procura.spent s
       where s.account = b.account and s.key = b.key and s.type = b.type and not s.refunded) as spent
     from procura.budget b`,
    )
    expect(accounts.filter(({ used, spent }) => used !== spent)).toEqual([])
  })

  it('[AUD-06] after all that the ledger verifies', async () => {
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
    const lines = fromDatabase(database.pool('procura_verify'), 'main')
    expect(await verifyLedger(lines, { vkeys: [vkey] })).toMatchObject({
      ok: true,
      entries: leaves,
    })
  })
})
