/** What an agent may call through a broker: the one call that was decided, of its own lease. */
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { escaped } from '../../src/domain/http-path.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { sendRaw } from '../fakes/raw.ts'
import { memberOf } from './adaptor.ts'
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
import { type Answer, printable } from './wire.ts'

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

describe('a call through the broker', () => {
  it.each([
    ['issues', 'authorization', (secret: string) => `Bearer ${secret}`],
    [
      'paired',
      'authorization',
      (secret: string) => `Basic ${Buffer.from(secret).toString('base64')}`,
    ],
    ['keyed', 'x-api-key', (secret: string) => secret],
  ])('reaches %s with the secret, which its caller never sees', async (api, header, form) => {
    const id = await reading(`${api}.read`)
    const answers: Answer[] = []
    const seen = await during(upstream, async () => {
      answers.push(await w.call(w.agent, id, GET))
    })
    expect(seen).toMatchObject([{ method: 'GET', target: GET[1], body: '' }])
    expect(seen.map((one) => valuesOf(one, header))).toEqual([[form(w.secrets.get(api) ?? '')]])
    expect(
      answers.map(({ status, headers }) => [status, headers.get('procura-upstream-status')]),
    ).toEqual([[200, '200']])
    expect(await w.stateOf(w.agent, id)).toBe('redeemed')
  })

  it('is below the path of its target, and a secret may be a parameter', async () => {
    const id = await reading('asked.read')
    const seen = await during(upstream, () => w.call(w.agent, id, GET))
    const secret = escaped(w.secrets.get('asked') ?? '')
    expect(seen.map(({ target }) => target)).toEqual([`/base${GET[1]}&key=${secret}`])
  })

  it('sends the body that was decided, whatever spelling it was presented in', async () => {
    const id = await w.lease(w.agent, 'issues.write', { name: 'red', text: 'é"', stars: 3 })
    const body = '{ "text": "\\u00e9\\"",  "stars": 3.0 }'
    const seen = await during(upstream, () =>
      w.call(w.agent, id, ['POST', '/v1/things/red/notes'], { body }),
    )
    expect(seen).toMatchObject([
      { method: 'POST', target: '/v1/things/red/notes', body: '{"stars":3,"text":"é\\""}' },
    ])
    expect(seen[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'x-version': '3' })
  })

  it('tells the ledger that it is about to be made, and what came of it', async () => {
    const id = await reading()
    await w.call(w.agent, id, GET)
    const rows = await w.database.query<{ effect: JsonObject }>(
      `select entry::jsonb -> 'effect' as effect from ledger.leaf
       where event_type = 'usage' and entry::jsonb -> 'credential' ->> 'id' = $1 order by index`,
      [id],
    )
    expect(rows.map(({ effect }) => effect)).toEqual([
      { observed: 'unknown', source: 'proxy', agreement: 'indeterminate' },
      { observed: 'occurred', source: 'proxy', agreement: 'agree', upstream: '2xx' },
    ])
  })
})

describe('another call than the one that was decided', () => {
  it('[ARG-20] differs by method, path, query or one octet of the body: 409, and nothing is sent', async () => {
    const id = await reading()
    await unspent(id, async () => {
      for (const other of [
        ['PUT', GET[1]],
        ['GET', '/v1/things/blue?view=all'],
        ['GET', '/v1/things/red?view=any'],
        ['GET', '/v1/things/red'],
        ['GET', '/v1/things/red?view=all&more=1'],
      ] as const) {
        await refused(w.call(w.agent, id, other), 409, 'args_mismatch')
      }
      await refused(w.call(w.agent, id, GET, { body: '{}' }), 409, 'args_mismatch')
    })
    const note = await w.lease(w.agent, 'issues.write', { name: 'red', text: 'one' })
    const post = ['POST', '/v1/things/red/notes'] as const
    const seen = await during(upstream, async () => {
      for (const body of [
        '{"text":"onf"}',
        '{"text":"one","stars":1}',
        '{"text":"x","text":"one"}',
        '',
      ]) {
        await refused(w.call(w.agent, note, post, { body }), 409, 'args_mismatch')
      }
      await w.call(w.agent, note, post, { body: '{"text":"one"}' })
    })
    expect(seen.map(({ body }) => body)).toEqual(['{"text":"one"}'])
  })

  it("[PRX-02] has a path that leads elsewhere: 404, and the target's path is never tidied up", async () => {
    const id = await reading()
    await unspent(id, async () => {
      for (const path of [
        ...['/../other', '/%2e%2e%2fother', '/v1/./things/red', '/v1/%2E%2E/things/red'],
        ...['/v1//things/red', '/v1/things/red/', '/v1/things%2Fred', '/v1/things%5cred', '/%ff'],
      ]) {
        await refused(w.call(w.agent, id, ['GET', path]), 404, 'not_found')
      }
    })
  })

  it('[PRX-13] is one that the target is not open to: 403, a tunnel 405, an upgrade 403', async () => {
    const id = await reading()
    await unspent(id, async () => {
      for (const other of [
        ['DELETE', GET[1]],
        ['POST', GET[1]],
        ['GET', '/v1/others/red'],
        ['GET', '/v1/things'],
        ['GET', '/v1/things/red/notes/1'],
      ] as const) {
        await refused(w.call(w.agent, id, other), 403, 'target_denied')
      }
      const upgrade = [
        ['Connection', 'Upgrade'],
        ['Upgrade', 'websocket'],
      ] as const
      await refused(w.call(w.agent, id, GET, { headers: upgrade }), 403, 'target_denied')
      await refused(w.call(w.agent, id, ['TRACE', GET[1]]), 405, 'method_not_allowed')
      const port = w.brokers[0]?.port ?? 0
      const tunnel = `CONNECT 127.0.0.1:${String(upstream.port)} HTTP/1.1\r\nHost: x\r\n\r\n`
      expect((await sendRaw(port, tunnel)).status).toBe(405)
    })
  })

  it('[PRX-01] names a scheme, a host or another Host: 403, or ignored', async () => {
    const id = await reading()
    await unspent(id, async () => {
      for (const origin of [
        'http://169.254.169.254',
        `http://127.0.0.1:${String(upstream.port)}`,
      ]) {
        const path = `/v1/proxy/${id}${GET[1]}`
        const st = await w.ST(w.agent)
        const proof = w.PF(w.agent.key, { method: 'GET', path, token: st })
        const headers = [['Authorization', `DPoP ${st}`], ...proof] as [string, string][]
        await refused(
          w.send({ method: 'GET', path: origin + path, headers }),
          ...([403, 'target_denied'] as const),
        )
      }
    })
    const again = await reading()
    const hosts = [
      ['Host', '169.254.169.254'],
      ['X-Forwarded-Host', 'evil.example'],
    ] as const
    const seen = await during(upstream, () => w.call(w.agent, again, GET, { headers: hosts }))
    expect(seen.map((one) => valuesOf(one, 'host'))).toEqual([
      [`127.0.0.1:${String(upstream.port)}`],
    ])
    expect(JSON.stringify(seen)).not.toContain('evil')
  })

  it("is a neighbour's: of any argument, only its own path reaches the target", async () => {
    const names = fc.string({ minLength: 1, maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(names, names, async (name, other) => {
        fc.pre(name !== other)
        const asked = { tool: 'issues.read', arguments: { name, view: 'all' }, purpose: 'support' }
        const given = await w.CR(w.agent, { body: asked })
        if (given.status !== 201) {
          expect(given.body['code']).toMatch(/^(access_denied|bad_encoding)$/)
          expect(name).toMatch(/^\.{1,2}$|[/\\]|[^ -\uffff]|\u007f|%[0-9a-f]{2}/i)
          return
        }
        const id = memberOf(given, 'id')
        const seen = await during(upstream, async () => {
          const neighbour = `/v1/things/${escaped(other)}?view=all`
          expect((await w.call(w.agent, id, ['GET', neighbour])).status).toBeGreaterThanOrEqual(400)
          const own = await w.call(w.agent, id, ['GET', `/v1/things/${escaped(name)}?view=all`])
          expect(own.status, printable(own)).toBe(200)
        })
        const paths = seen.map(({ target }) => target.split('?')[0]?.split('/').at(-1) ?? '')
        expect(paths.map(decodeURIComponent)).toEqual([name])
      }),
      { numRuns: 25, seed: 7 },
    )
  }, 60_000)

  it.each(['..', '.', 'a/b', 'a\\b', '%2e%2e', 'a\u0000b', 'a\nb', ''])(
    'is never decided on for the name %j: no path means the same to everybody with it',
    async (name) => {
      const args = { name, view: 'all' }
      const body = { tool: 'issues.read', arguments: args, purpose: 'support' }
      const answer = await w.CR(w.agent, { body })
      expect([403, 400], printable(answer)).toContain(answer.status)
    },
  )
})
