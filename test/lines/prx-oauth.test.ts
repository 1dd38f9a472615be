/** A target that takes tokens of others: asked for with a secret, refreshed by one broker for all, or exchanged. */
import { randomBytes } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CLIENT } from '../fakes/authorization-server.ts'
import { eventually } from '../scenario/house.ts'
import { checkLeaks } from './leaks.ts'
import { anOauthWorld, type OauthWorld } from './oauth-world.ts'
import { GET, outcomes, type ProxyWorld, refused, valuesOf } from './proxied.ts'
import { echo, type Seen, type Upstream } from './upstream.ts'
import { printable } from './wire.ts'

let o: OauthWorld
let w: ProxyWorld
let given: string[] = []

/** RFC 6749 §4.4, for both ways of showing a secret. */
function isClient({ headers, body }: Seen, api: string): boolean {
  const secret = w.secrets.get(api) ?? ''
  const form = new URLSearchParams(body)
  const formEscaped = new URLSearchParams({ '': secret }).toString().slice(1)
  const pair = Buffer.from(`the+client:${formEscaped}`).toString('base64')
  const isBasic = headers.authorization === `Basic ${pair}`
  const isPost = form.get('client_id') === 'the client' && form.get('client_secret') === secret
  return form.get('grant_type') === 'client_credentials' && (isBasic || isPost)
}

/** Only who has a token that was not taken back. */
const asAnApi: Upstream['answer'] = ({ target, headers: { authorization } }, response) => {
  const isOne = [o.patient, o.strict].some((server) => server.takes(authorization))
  response.writeHead(isOne ? 200 : 401).end(isOne ? target : 'no')
}

beforeAll(async () => {
  o = await anOauthWorld()
  w = o.w
}, 120_000)

beforeEach(() => {
  o.upstream.answer = asAnApi
})

describe('a target that takes tokens', () => {
  beforeEach(() => {
    given = []
    o.upstream.answer = echo
    o.issuer.answer = (seen, response) => {
      const api = ['api', 'posting'].find((name) => isClient(seen, name))
      const token = randomBytes(24).toString('base64url')
      if (api !== undefined) given.push(token)
      response.setHeader('Content-Type', 'application/json')
      response.writeHead(api === undefined ? 401 : 200)
      response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 60 }))
    }
  })

  it.each(['api', 'posting'])('is called with one of its own for each call: %s', async (api) => {
    for (let n = 1; n <= 2; n += 1) {
      expect((await w.call(w.agent, await o.reading(api), GET)).status).toBe(200)
      const last = o.upstream.seen.at(-1)
      expect(last && valuesOf(last, 'authorization')).toEqual([`Bearer ${String(given.at(-1))}`])
      expect(new Set(given).size).toBe(n)
    }
    const form = new URLSearchParams(o.issuer.seen.at(-1)?.body)
    const asked = api === 'api' ? ['things.read things.write', 'https://api.example'] : [null, null]
    expect([form.get('scope'), form.get('audience')]).toEqual(asked)
    expect(JSON.stringify(o.upstream.seen)).not.toContain(w.secrets.get(api))
  })

  it("withholds an answer with the token in it, and with the client's secret", async () => {
    for (const told of [() => given.at(-1), () => w.secrets.get('api')]) {
      o.upstream.answer = (_request, response) => response.end(`so: ${String(told())}`)
      const id = await o.reading('api')
      await refused(w.call(w.agent, id, GET), 502, 'downstream_failed')
      expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'secret_reflected']])
    }
  })

  it.each([
    ['refuses', 401, '{"error":"invalid_client"}'],
    ['gives nothing', 200, '{}'],
    ['gives a token of another type', 200, '{"access_token":"abcdefghij","token_type":"DPoP"}'],
    [
      'gives a token of two lines',
      200,
      '{"access_token":"abcdefghij\\r\\nX: y","token_type":"bearer"}',
    ],
    ['does not speak JSON', 200, 'access_token=abcdefghij'],
    ['says too much', 200, `{"access_token":"${'x'.repeat(70_000)}","token_type":"bearer"}`],
    ['redirects', 307, ''],
  ])('is not called where the token endpoint %s', async (_what, status, text) => {
    o.issuer.answer = (_seen, response) => {
      const location = `http://127.0.0.1:${String(o.canary.port)}/token`
      response.writeHead(status, { location }).end(text)
    }
    const from = o.upstream.seen.length
    const id = await o.reading('api')
    await refused(w.call(w.agent, id, GET), 502, 'downstream_failed')
    expect([o.upstream.seen.length, o.canary.connections()]).toEqual([from, 0])
    expect(await outcomes(w, id)).toEqual([['none', undefined, 'downstream_failed']])
  })

  it('is not called where the token endpoint is silent, or not where it may be', async () => {
    o.issuer.answer = () => undefined
    const id = await o.reading('api')
    await refused(w.call(w.agent, id, GET), 504, 'downstream_timeout')
    expect(await outcomes(w, id)).toEqual([['none', undefined, 'downstream_timeout']])
    const far = await o.reading('far')
    await refused(w.call(w.agent, far, GET), 403, 'target_denied')
    expect(await w.stateOf(w.agent, far)).toBe('active')
    expect(o.canary.connections()).toBe(0)
  })
})

describe('a target that takes tokens which are refreshed', () => {
  it('is called by two brokers ten times each at once, and for all of them one refresh is made', async () => {
    expect((await o.calling(await o.reading('kept'))).status).toBe(200)
    await o.change('kept', 'usable_until = now()')
    const st = await w.ST(w.agent)
    const ids = await Promise.all(Array.from({ length: 20 }, () => o.reading('kept', 0, st)))
    const from = o.patient.asked.length
    o.patient.before = () => w.database.query('select pg_sleep(0.3)')
    const answers = await Promise.all(ids.map((id, n) => o.calling(id, n % 2, st)))
    o.patient.before = () => Promise.resolve()
    expect(answers.map(({ status }) => status)).toEqual(ids.map(() => 200))
    expect(o.patient.asked.length - from).toBe(1)
  })

  it('shares what it keeps where a client asks for itself, too', async () => {
    const from = o.patient.asked.length
    for (const at of [0, 1]) {
      expect((await o.calling(await o.reading('shared'), at)).status).toBe(200)
    }
    expect(o.patient.asked.length - from).toBe(1)
  })

  it('[PRX-14] has its answer withheld with anything in it that was shown to get in', async () => {
    await o.calling(await o.reading('kept'))
    const seen = String(o.upstream.seen.at(-1)?.headers.authorization).replace('Bearer ', '')
    const stored = JSON.parse(w.secrets.get('kept') ?? '{}') as { refresh_token: string }
    for (const secret of [seen, CLIENT.secret, stored.refresh_token]) {
      o.upstream.answer = (_request, response) => response.end(`so: ${secret}`)
      const id = await o.reading('kept')
      await refused(o.calling(id), 502, 'downstream_failed')
      expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'secret_reflected']])
    }
  })

  it('is told to the agent as it was where it takes no token any more, and the next call has another', async () => {
    await o.calling(await o.reading('kept'))
    o.patient.withdraw()
    await o.change('kept', `made_at = now() - interval '2 min'`)
    const [from, called] = [o.patient.asked.length, o.upstream.seen.length]
    const id = await o.reading('kept')
    const answer = await o.calling(id)
    expect([answer.status, answer.headers.get('procura-upstream-status')]).toEqual([401, '401'])
    expect(await outcomes(w, id)).toEqual([['occurred', '4xx', null]])
    expect((await o.calling(await o.reading('kept'), 1)).status).toBe(200)
    expect([o.patient.asked.length - from, o.upstream.seen.length - called]).toEqual([1, 2])
  })

  it('[PRX-19] is not refreshed for a lease that was revoked', async () => {
    const id = await o.reading('kept')
    await o.change('kept', 'usable_until = now()')
    const body = { target: { kind: 'credential', id }, cause: 'operator_action' }
    const stopped = await w.asBearer(w.PT('lee'), 'POST', '/v1/revocations', { body })
    expect(stopped.status, printable(stopped)).toBe(201)
    const from = o.patient.asked.length
    await refused(o.calling(id), 410, 'credential_gone')
    expect(o.patient.asked.length).toBe(from)
  })
})

describe('a target that takes tokens which are exchanged', () => {
  it('gets one for each lease, for a token that says whose call it is, and is verified', async () => {
    const ids = [await o.reading('exchanged'), await o.reading('exchanged')]
    for (const id of ids) expect((await o.calling(id)).status).toBe(200)
    const told = o.patient.subjects.slice(-2)
    expect(told.map(({ jti }) => jti)).toEqual(ids)
    const [row] = await w.database.query<{ sponsor: string }>(
      'select sponsor from procura.lease where id = $1',
      [ids[0]],
    )
    expect(told[0]).toMatchObject({
      ...{ sub: row?.sponsor, client_id: w.agent.id, act: { sub: w.agent.id } },
      authorization_details: [{ type: 'tool_call', tool: 'exchanged.read', purpose: 'support' }],
    })
    expect(told[0]?.exp ?? 0).toBeLessThanOrEqual((told[0]?.iat ?? 0) + 60)
    const form = o.patient.asked.at(-1)
    expect([form?.get('scope'), form?.get('resource'), form?.get('audience')]).toEqual([
      ...['things.read', 'https://api.example/things', null],
    ])
    const tokens = o.upstream.seen.slice(-2).map(({ headers }) => headers.authorization)
    expect(new Set(tokens).size).toBe(2)
  })

  it('[PRX-14] has its answer withheld with the token in it that was exchanged', async () => {
    o.upstream.answer = (_request, response) =>
      response.end(String(o.patient.asked.at(-1)?.get('subject_token')))
    await refused(o.calling(await o.reading('exchanged')), 502, 'downstream_failed')
  })

  it('is not called where the token is for somebody else, and the server does not believe it', async () => {
    const from = o.upstream.seen.length
    const id = await o.reading('misled')
    await refused(o.calling(id), 502, 'downstream_failed')
    expect(await outcomes(w, id)).toEqual([['none', undefined, 'downstream_failed']])
    expect(o.upstream.seen.length).toBe(from)
  })
})

describe('a broker that is killed between what was answered and what it stored', () => {
  it('is followed by one that asks again, or says what an operator has to do, and asks no more', async () => {
    for (const api of ['kept', 'strict']) {
      expect((await o.calling(await o.reading(api))).status).toBe(200)
    }
    const ids = [await o.reading('kept'), await o.reading('strict')]
    for (const api of ['kept', 'strict']) await o.change(api, 'usable_until = now()')
    let held = 0
    for (const server of [o.patient, o.strict]) {
      server.before = () => {
        held += 1
        return new Promise(() => undefined)
      }
    }
    const dying = Promise.allSettled(ids.map((id) => o.calling(id)))
    await eventually('that both are asked', () => Promise.resolve(held === 2))
    w.brokers[0]?.signal('SIGKILL')
    await dying
    for (const server of [o.patient, o.strict]) server.before = () => Promise.resolve()
    await w.database.query(`update procura.target_token set claimed_until = now()`)

    const st = await w.ST(w.agent, { at: 1 })
    const again = await o.calling(await o.reading('kept', 1, st), 1, st)
    expect(again.status, printable(again)).toBe(200)
    const from = o.strict.asked.length
    for (let n = 0; n < 3; n += 1) {
      const id = await o.reading('strict', 1, st)
      const no = await o.calling(id, 1, st)
      await refused(no, 502, 'downstream_failed')
      expect(no.body['fix']).toContain('procura target secret strict')
      // The first one has found out; of the others nothing is spent, and the reason says which.
      expect(no.body['reason']).toBe(n === 0 ? 'authorization_ended' : 'authorization_over')
      const answer = await w.asAgent(w.agent, 'GET', `/v1/credentials/${id}`, { at: 1, st })
      expect(answer.body['status']).toBe(n === 0 ? 'redeemed' : 'active')
    }
    expect(o.strict.asked.length - from).toBe(1)
    const words =
      'after an answer that was lost: get a new one, and store it with `procura target secret strict`'
    const log = [w.brokers[1]?.stdout(), w.brokers[1]?.stderr()].join('')
    expect(log.split(words)).toHaveLength(2)
  }, 60_000)

  it('leaves nothing of it in logs, answers, tables and the ledger', async () => {
    const servers = [o.patient, o.strict]
    const subjects = servers.flatMap(({ asked }) => asked.map((form) => form.get('subject_token')))
    const given = servers.flatMap(({ secrets }) => [...secrets])
    const all = [...given, ...subjects].filter((it) => it !== null)
    expect([given.length > 10, subjects.some((it) => it !== null)]).toEqual([true, true])
    await checkLeaks(w, new Set([CLIENT.secret, ...all]))
  })
})
