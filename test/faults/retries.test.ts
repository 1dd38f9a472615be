/** Whoever does not know what became of a request asks again: of the same broker, or of another. */
import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { refund, signedFor, twoBrokers } from '../attack/two-brokers.ts'
import { aRun, eventually, REFUNDING, type Run } from '../scenario/house.ts'

/** Somebody has to say yes to this one. */
const large = { ...refund, arguments: { ...refund.arguments, amount: 20_000 } }

let { database, brokers, issuer, by } = {} as Awaited<ReturnType<typeof twoBrokers>>
beforeAll(async () => {
  ;({ database, brokers, issuer, by } = await twoBrokers())
})

const aKim = () => aRun(by.as('kim'), issuer, REFUNDING)

interface Told {
  readonly status: number
  readonly isReplay: boolean
  readonly body: JsonObject
}

/** What one of the two says to these very bytes; `null` where nobody waits for it. */
async function post(
  at: number,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal?: AbortSignal,
): Promise<Told | null> {
  const url = `http://127.0.0.1:${String(brokers[at]?.port)}/v1/credentials`
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, signal: signal ?? null })
    const told = parseTrusted(await answer.text())
    if (!isObject(told)) throw new TypeError('an answer is an object')
    const isReplay = answer.headers.get('idempotency-replayed') === 'true'
    return { status: answer.status, isReplay, body: told }
  } catch (error) {
    if (signal !== undefined && error instanceof DOMException) return null
    throw error
  }
}

/** The same question under the same key, each time with a fresh proof. */
function asking(run: Run, key: string = randomUUID()) {
  const ready = async (what: JsonObject) => {
    const body = JSON.stringify(what)
    const headers = { ...(await signedFor(run, issuer, body)), 'idempotency-key': key }
    return (at: number, signal?: AbortSignal) => post(at, headers, body, signal)
  }
  /** Signed now, to be sent later. */
  const ask = async (at: number, what: JsonObject) => await (await ready(what))(at)
  return { ask, ready }
}

/** What is on record of a run: one line a thing that was decided or made. */
async function onRecord({ consent }: Run) {
  const [row] = await database.query<{ decided: number; made: number; leases: string[] }>(
    `select (select count(*)::int from procura.v_ledger
             where event_type = 'decision' and entry::jsonb ->> 'consent_id' = $1) as decided,
            (select count(*)::int from procura.v_ledger
             where event_type = 'issuance' and entry::jsonb ->> 'consent_id' = $1) as made,
            (select coalesce(array_agg(id), '{}') from procura.lease where consent = $1) as leases`,
    [consent],
  )
  return row
}

/** Its own decision, and nothing else that is laid down just now. */
const WAITING = `select from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock' and query like '%procura.decision%'`

/** Nobody can append meanwhile. */
async function whileHeld<T>(work: () => Promise<T>): Promise<T> {
  const holder = new Client({ connectionString: database.url, application_name: 'test' })
  await holder.connect()
  await holder.query('begin; lock table ledger.leaf in exclusive mode')
  return await work().finally(() => holder.end())
}

describe('[F65] asked again under the same key', () => {
  it('after nobody waited for the answer: the same ids at either broker, no secret, and no second', async () => {
    const run = await aKim()
    const { ask, ready } = asking(run)
    const send = await ready(refund)
    const patience = new AbortController()
    const hung = await whileHeld(async () => {
      const answer = send(0, patience.signal)
      await eventually('a wait', async () => (await database.query(WAITING)).length > 0)
      patience.abort()
      return await answer
    })
    expect(hung, 'it hung').toBeNull()
    for (const at of [1, 0]) {
      const again = await eventually('an answer', async () => {
        const told = await ask(at, refund)
        return told?.status === 201 && told
      })
      expect(again).toMatchObject({ isReplay: true, body: { credential: null } })
      const { leases } = (await onRecord(run)) ?? {}
      expect(leases).toEqual([textIn(again.body, 'id')])
    }
    // It reached nobody, and so it does not live on.
    await eventually('its end', async () => {
      const rows = await database.query(
        'select from procura.lease where consent = $1 and ended_at is not null',
        [run.consent],
      )
      return rows.length === 1
    })
    expect(await onRecord(run)).toMatchObject({ decided: 1, made: 1 })
  })

  it('after a 503 that nothing came of: it is decided then, once', async () => {
    const run = await aKim()
    const { ask, ready } = asking(run)
    const send = await ready(refund)
    const first = await whileHeld(() => send(0))
    expect(first).toMatchObject({ status: 503, body: { code: 'unavailable' } })
    expect(await onRecord(run)).toMatchObject({ decided: 0, made: 0 })
    const second = await ask(1, refund)
    expect(second).toMatchObject({ status: 201, isReplay: false })
    expect(await onRecord(run)).toMatchObject({ decided: 1, made: 1 })
  })

  it('after a 202: the same approval, whatever became of it', async () => {
    const run = await aKim()
    const { ask } = asking(run)
    const first = await ask(0, large)
    expect(first).toMatchObject({ status: 202, isReplay: false })
    const again = await ask(1, large)
    expect(again).toMatchObject({ status: 202, isReplay: true })
    expect(again?.body['approval']).toEqual(first?.body['approval'])
    const approval = textIn(first?.body['approval'] as JsonObject, 'id')
    const path = `/v1/approvals/${approval}`
    const { binding_hash = null } = await by.as('ben').get(path)
    await by.as('ben').post(`${path}/decision`, { decision: 'approve', binding_hash })
    expect(await ask(0, large)).toMatchObject({ status: 202, isReplay: true })
    const using = { ...large, approval }
    expect(await ask(1, using)).toMatchObject({ status: 422 })
    expect(await asking(run).ask(1, using)).toMatchObject({ status: 201 })
    expect(await onRecord(run)).toMatchObject({ decided: 2, made: 1 })
  })

  it('with another body: 422 at either broker, before and after, and nothing is decided', async () => {
    const run = await aKim()
    const { ask } = asking(run)
    const first = await ask(0, refund)
    const other = { ...refund, arguments: { ...refund.arguments, amount: 901 } }
    for (const at of [0, 1]) {
      const told = await ask(at, other)
      expect(told).toMatchObject({ status: 422, body: { code: 'idempotency_mismatch' } })
    }
    const again = await ask(1, refund)
    expect(again).toMatchObject({ status: 201, isReplay: true })
    expect(again?.body['id']).toBe(first?.body['id'])
    expect(await onRecord(run)).toMatchObject({ decided: 1, made: 1 })
  })
})

describe('[F67] a request that a load balancer sends to the other broker as well', () => {
  it('with the same proof is refused there; with a fresh one and its key it is told what it got', async () => {
    for (const at of [0, 1]) {
      const [run, key] = [await aKim(), randomUUID()]
      const body = JSON.stringify(refund)
      const headers = { ...(await signedFor(run, issuer, body)), 'idempotency-key': key }
      const first = await post(at, headers, body)
      expect(first).toMatchObject({ status: 201, isReplay: false })
      const copy = await post(1 - at, headers, body)
      expect(copy).toMatchObject({ status: 401, body: { code: 'invalid_dpop_proof' } })
      const again = await asking(run, key).ask(1 - at, refund)
      expect(again).toMatchObject({ status: 201, isReplay: true, body: { credential: null } })
      expect(again?.body['id']).toBe(first?.body['id'])
      expect(await onRecord(run)).toMatchObject({ decided: 1, made: 1 })
    }
  })

  it('while the first is still under way: 401, and the first has what it asked for', async () => {
    const run = await aKim()
    const body = JSON.stringify(refund)
    const headers = await signedFor(run, issuer, body)
    const both = await Promise.all([post(0, headers, body), post(1, headers, body)])
    expect(both.map((told) => told?.status).sort()).toEqual([201, 401])
    expect(await onRecord(run)).toMatchObject({ decided: 1, made: 1 })
  })
})
