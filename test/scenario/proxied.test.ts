/** An agent that calls an API which knows nothing of brokers, keys or proofs. */
import { beforeAll, describe, expect, it } from 'vitest'
import { sealTarget } from '../../src/cli/seal-target.ts'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import { addTargets, declare, LOOPBACK } from '../lines/proxied.ts'
import { anUpstream, type Upstream } from '../lines/upstream.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import type { BrokerProcess } from './broker.ts'
import { aHouse, aRun, callers, eventually } from './house.ts'
import { SHAPES } from './shapes.ts'

const KEY = 'sk_live_correct-horse-battery'
const CONSENT: JsonObject = { tools: ['issues.*'], purpose: 'support', max_uses: 3 }

describe.each(SHAPES)('as $shape', ({ start }) => {
  let broker: BrokerProcess
  let upstream: Upstream
  let by: ReturnType<typeof callers>

  beforeAll(async () => {
    const [database, target] = [await freshDatabase(), await freshTarget()]
    upstream = await anUpstream()
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    const home = await aHouse({ databaseUrl: database.url, shop })
    const base_url = `http://127.0.0.1:${String(upstream.port)}`
    const issues = { base_url, private_addresses: LOOPBACK, timeout_ms: 2000 }
    addTargets(home.env['PROCURA_TRUST'] ?? '', { issues })
    declare(home.env['PROCURA_POLICIES'] ?? '', 'issues')
    const where = { databaseUrl: new Secret(database.url), tenant: 'main', sealKey: null }
    const sealWith = async (keysDir: string) => {
      await home.sealWith(keysDir)
      await sealTarget({ ...where, keysDir }, 'issues', new Secret(KEY))
    }
    await sealWith(home.keysDir)
    broker = await start({ home: { ...home, sealWith }, database })
    by = callers(home, broker.issuer)
  }, 120_000)

  const ask = (args: JsonObject) => ({ tool: 'issues.write', arguments: args, purpose: 'support' })

  it('makes its one call with the client, like any other, and never sees the key', async () => {
    const { client } = await aRun(by.as('ana'), broker.issuer, CONSENT)
    const answer = await client.requestCredential(ask({ name: '7', text: 'Fine.' }))
    if (answer.status !== 'active') throw new Error('it was not given')
    const { credential, id } = answer
    const call = (text: string) =>
      client.fetch(credential, '/v1/things/7/notes', { method: 'POST', body: { text } })

    await expect(call('Not fine.')).rejects.toMatchObject({ code: 'args_mismatch' })
    const response = await call('Fine.')
    expect([response.status, await response.json()]).toEqual([
      200,
      { method: 'POST', target: '/v1/things/7/notes', body: '{"text":"Fine."}' },
    ])
    expect(upstream.seen.at(-1)?.headers.authorization).toBe(`Bearer ${KEY}`)
    expect(JSON.stringify(answer)).not.toContain(KEY)
    await expect(call('Fine.')).rejects.toMatchObject({ status: 410, code: 'credential_gone' })
    expect(await client.credential(id)).toMatchObject({ status: 'redeemed' })
  })

  it("gets the target's no as the target's, and the broker's as the broker's", async () => {
    const { client } = await aRun(by.as('ana'), broker.issuer, CONSENT)
    const credentialFor = async (text: string) => {
      const answer = await client.requestCredential(ask({ name: '7', text }))
      if (answer.status !== 'active') throw new Error('it was not given')
      return answer.credential
    }
    upstream.answer = (_request, response) => {
      response.setHeader('Content-Type', 'application/json').writeHead(401)
      response.end('{"code":"use_dpop_nonce"}')
    }
    const init = { method: 'POST', body: { text: 'one' } }
    const from = upstream.seen.length
    const no = await client.fetch(await credentialFor('one'), '/v1/things/7/notes', init)
    expect([no.status, await no.json()]).toEqual([401, { code: 'use_dpop_nonce' }])
    expect(upstream.seen.length).toBe(from + 1)

    upstream.answer = () => undefined
    const credential = await credentialFor('one')
    const late = await client
      .fetch(credential, '/v1/things/7/notes', init)
      .catch((it: unknown) => it)
    expect(late).toBeInstanceOf(Refused)
    expect(late).toMatchObject({ status: 504, code: 'downstream_timeout' })
  })

  it('gives back what it did not use, and has it to spend again', async () => {
    const run = await aRun(by.as('ana'), broker.issuer, { ...CONSENT, max_uses: 1 })
    for (const text of ['one', 'two']) {
      const answer = await run.client.requestCredential(ask({ name: '7', text }))
      expect(await run.client.giveBack(textIn(answer.body, 'id'))).toMatchObject({ refunded: true })
    }
  })

  it('ends with its lease: unused, it expires, and its call is counted as not made', async () => {
    const { client } = await aRun(by.as('ana'), broker.issuer, { ...CONSENT, max_uses: 1 })
    // It ends at whole seconds: of one second nothing might be left.
    const more = { ttl_seconds: 2 }
    const answer = await client.requestCredential({ ...ask({ name: '7', text: 'a' }), ...more })
    const id = textIn(answer.body, 'id')
    await eventually('an end', async () => (await client.credential(id))['status'] === 'expired')
    const again = await client.requestCredential(ask({ name: '7', text: 'a' }))
    expect(again.status).toBe('active')
  })
})
