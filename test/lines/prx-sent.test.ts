/** What goes out beside a call, and how often, and for whom. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { sendRaw } from '../fakes/raw.ts'
import { aHolder } from '../identity/signing.ts'
import {
  type Apis,
  brokersFor,
  during,
  GET,
  LOOPBACK,
  type ProxyWorld,
  READ,
  refused,
  valuesOf,
} from './proxied.ts'
import { anUpstream, type Upstream } from './upstream.ts'
import { checkLeaks } from './leaks.ts'
import type { Answer } from './wire.ts'
import { ISSUER } from './world.ts'

let w: ProxyWorld
let upstream: Upstream

beforeAll(async () => {
  upstream = await anUpstream()
  const base_url = `http://127.0.0.1:${String(upstream.port)}`
  const at: JsonObject = { base_url, private_addresses: LOOPBACK }
  const apis: Apis = {
    issues: at,
    paired: { ...at, inject: 'basic' },
    keyed: { ...at, inject: { header: 'x-api-key' } },
    asked: { ...at, base_url: `${base_url}/base`, inject: { query: 'key' } },
  }
  w = await brokersFor(apis)
}, 120_000)

const reading = (tool = 'issues.read') => w.lease(w.agent, tool, READ)

/** Refused, nothing sent, nothing spent: the right call still goes through. */
async function unspent(id: string, work: () => Promise<unknown>): Promise<void> {
  expect(await during(upstream, work)).toEqual([])
  expect((await w.call(w.agent, id, GET)).status).toBe(200)
}

describe('what an agent sends beside its call', () => {
  it('[PRX-08] does not reach the target: it sees one injected value and no other', async () => {
    const own: [string, string][] = [
      ...([
        ['X-API-Key', 'mine'],
        ['Cookie', 'sid=1'],
        ['X-Forwarded-For', '1.2.3.4'],
      ] as const),
      ...([
        ['Proxy-Authorization', 'Basic bWluZQ=='],
        ['X-Other', 'mine'],
      ] as const),
      ...([
        ['Accept', 'text/plain'],
        ['X-HTTP-Method-Override', 'DELETE'],
      ] as const),
    ].map(([name, value]) => [name, value])
    for (const api of ['issues', 'keyed', 'paired']) {
      const id = await reading(`${api}.read`)
      const [one] = await during(upstream, () => w.call(w.agent, id, GET, { headers: own }))
      const names = one?.raw.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase())
      const secret = api === 'keyed' ? 'x-api-key' : 'authorization'
      expect(names?.sort()).toEqual(
        ['accept', 'accept-encoding', 'connection', 'host', 'user-agent', secret].sort(),
      )
      expect(JSON.stringify(one)).not.toMatch(/mine|bWluZQ|sid=1|DPoP/)
    }
  })

  it('[PRX-09] cannot have the injected header taken away as one of the connection', async () => {
    const headers = [['Connection', 'authorization, x-api-key']] as const
    for (const [api, name] of [
      ['issues', 'authorization'],
      ['keyed', 'x-api-key'],
    ] as const) {
      const id = await reading(`${api}.read`)
      const [one] = await during(upstream, () => w.call(w.agent, id, GET, { headers }))
      expect(one && valuesOf(one, name)).toHaveLength(1)
    }
  })

  it('[PRX-10] has no control character in path, query, header or method: 400', async () => {
    const id = await reading()
    await unspent(id, async () => {
      for (const path of [
        '/v1/things/red%0d%0aX: y',
        '/v1/things/red%00',
        '/v1/things/red?view=a%0Ab',
      ]) {
        expect((await w.call(w.agent, id, ['GET', path])).status).toBe(400)
      }
      const port = w.brokers[0]?.port ?? 0
      const from = `/v1/proxy/${id}/v1/things/red`
      for (const head of [
        `GET ${from}\rX HTTP/1.1\r\nHost: x\r\n\r\n`,
        `GET ${from}\0 HTTP/1.1\r\nHost: x\r\n\r\n`,
        `GET ${from} HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n`,
        `GET ${from} HTTP/1.1\r\nHost: x\r\nX-A: a\rX-B: b\r\n\r\n`,
        `G\0T ${from} HTTP/1.1\r\nHost: x\r\n\r\n`,
      ]) {
        expect((await sendRaw(port, head)).status).toBe(400)
      }
    })
  })

  it('[PRX-11] is framed in one way: 400, and no second request is smuggled along', async () => {
    const port = w.brokers[0]?.port ?? 0
    const id = await w.lease(w.agent, 'issues.write', { name: 'red', text: 'one' })
    const path = `/v1/proxy/${id}/v1/things/red/notes`
    const body = '{"text":"one"}'
    const seen = await during(upstream, async () => {
      const st = await w.ST(w.agent)
      for (const framing of [
        'Content-Length: 14\r\nTransfer-Encoding: chunked',
        'Content-Length: 14\r\nContent-Length: 15',
        'Transfer-Encoding: chunked, identity',
        'Content-Length: 14\nX-A: b',
        'Content-Length: +14',
        'Transfer-Encoding : chunked',
      ]) {
        const [proof] = w.PF(w.agent.key, { method: 'POST', path, token: st, body })
        const head = [
          ...[`POST ${path} HTTP/1.1`, 'Host: x', `Authorization: DPoP ${st}`],
          ...[`DPoP: ${proof?.[1] ?? ''}`, 'Content-Type: application/json', framing],
        ]
        const smuggled = `${body}POST ${path} HTTP/1.1\r\nHost: x\r\n\r\n`
        const answer = await sendRaw(port, `${head.join('\r\n')}\r\n\r\n${smuggled}`)
        expect([answer.status, framing]).toEqual([400, framing])
      }
    })
    expect(seen).toEqual([])
  })
})

describe('a lease', () => {
  it('[PRX-17] serves once, fifty times at once and on both brokers: one call goes out', async () => {
    const id = await reading()
    const answers: Answer[] = []
    const st = await w.ST(w.agent)
    const seen = await during(upstream, async () => {
      const calls = Array.from({ length: 50 }, (_, n) =>
        w.call(w.agent, id, GET, { st, at: n % 2 }),
      )
      answers.push(...(await Promise.all(calls)))
    })
    expect(seen).toHaveLength(1)
    const told = answers.map(({ status }) => status).sort()
    expect(told).toEqual([200, ...Array<number>(49).fill(410)])
    await refused(w.call(w.agent, id, GET), 410, 'credential_gone')
  })

  it('[PRX-18] is of nobody but the run it was issued to, and of nobody without a proof', async () => {
    const id = await reading()
    const other = await w.anAgent({ terms: w.terms })
    await unspent(id, async () => {
      await refused(w.call(other, id, GET), 404, 'not_found')
      await refused(w.call({ ...w.agent, key: aHolder() }, id, GET), 404, 'not_found')
      await refused(w.call(w.agent, id, GET, { pf: null }), 401, 'invalid_dpop_proof')
      await refused(w.call(w.agent, id, GET, { authorization: null }), 401, 'invalid_token')
      const path = `/v1/proxy/${id}${GET[1]}`
      await refused(w.send({ method: 'GET', path }), 401, 'invalid_token')
      const elsewhere = { claims: { htu: 'https://broker.example/v1/credentials' } }
      await refused(w.call(w.agent, id, GET, { pf: elsewhere }), 401, 'invalid_dpop_proof')
    })
  })

  it('that is stopped or frozen before its call is refused, and the target never hears of it', async () => {
    const st = await w.ST(w.agent)
    const [stopped, frozen] = [await reading(), await reading()]
    const seen = await during(upstream, async () => {
      const token = w.PT('lee')
      const target = { kind: 'credential', id: stopped }
      const cause = { cause: 'operator_action', reason: 'a test' }
      await w.asBearer(token, 'POST', '/v1/revocations', { body: { target, ...cause } })
      for (const at of [0, 1]) {
        await refused(w.call(w.agent, stopped, GET, { st, at }), 410, 'credential_gone')
      }
      const scope = { kind: 'tool', id: 'issues.read' }
      const freeze = (state: string) =>
        w.asBearer(token, 'POST', '/v1/freeze', { body: { scope, state, ...cause } })
      await freeze('frozen')
      await refused(w.call(w.agent, frozen, GET, { st, at: 1 }), 410, 'credential_gone')
      await freeze('lifted')
    })
    expect(seen).toEqual([])
  })

  it('is given back unspent with what it cost, and then serves nobody', async () => {
    const id = await reading()
    const back = await w.asAgent(w.agent, 'DELETE', `/v1/credentials/${id}`)
    expect(back.body).toMatchObject({ status: 'returned', refunded: true })
    const [ended] = await w.database.query<{ effect: JsonObject }>(
      `select entry::jsonb -> 'effect' as effect from ledger.leaf
       where event_type = 'credential_ended' and entry::jsonb -> 'credential' ->> 'id' = $1`,
      [id],
    )
    const effect = { observed: 'none', source: 'proxy', agreement: 'not_exercised' }
    expect(ended).toEqual({ effect })
    await refused(w.call(w.agent, id, GET), 410, 'credential_gone')
  })
})

describe('what is left of all these calls', () => {
  it('is a ledger that holds, and no secret in any output or table', async () => {
    const key = createPublicKey(readFileSync(join(w.home.keysDir, 'ledger.key'), 'utf8'))
    const vkeys = [vkeyOf(`${new URL(ISSUER).host}/v1/ledger`, key)]
    const log = fromDatabase(w.database.pool('procura_verify'), 'main')
    expect(await verifyLedger(log, { vkeys })).toMatchObject({ ok: true })
    await checkLeaks(w, new Set(w.secrets.values()))
  })
})
