/** Somebody with a way to look: into the database, the logs, the answers, and at what is another’s. */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import { aRun, COUNT, inOneHour, READING, REFUND, REFUNDING } from '../scenario/house.ts'
import { query, refund, signedFor, twoBrokers } from './two-brokers.ts'

let { database, home, brokers, issuer, by } = {} as Awaited<ReturnType<typeof twoBrokers>>
beforeAll(async () => {
  ;({ database, home, brokers, issuer, by } = await twoBrokers())
})

it('[G5, AUD-08] leaves no secret in the database, the logs, the metrics or the answers', async () => {
  const canary = `canary-${randomUUID()}`
  const run = await aRun(by.as('kim'), issuer, REFUNDING)
  const session = textIn(await run.client.connect(), 'access_token')
  const noted = { ...refund, arguments: { ...REFUND, note: canary }, justification: canary }
  const token = await run.client.requestCredential(noted)
  const ana = await aRun(by.as('ana'), issuer, READING)
  const sql = `select '${canary}' from orders`
  const login = await ana.client.requestCredential(query(sql))
  if (token.status !== 'active' || login.status !== 'active')
    throw new Error('both were to be given')
  const wrong = query(`select from "${canary}`)
  const refusal = await ana.client.requestCredential(wrong).catch((error: unknown) => error)
  const body = JSON.stringify(refund)
  const fixed = await signedFor(run, issuer, body)
  const headers = { ...fixed, cookie: canary, 'idempotency-key': randomUUID() }
  await fetch(`${issuer}/v1/credentials`, { method: 'POST', headers, body })
  const secrets = {
    ...{ canary, session, token: textIn(token.credential, 'token'), proof: fixed.dpop },
    ...{ password: textIn(login.credential, 'password'), person: home.people.token('kim', 'x') },
    sealKey: readFileSync(join(home.keysDir, 'seal.key')).toString('base64'),
  }
  const pages = brokers.flatMap(({ port }) =>
    ['/metrics', '/readyz', '/livez', '/v1/ledger/checkpoint'].map(async (path) => {
      return await (await fetch(`http://127.0.0.1:${String(port)}${path}`)).text()
    }),
  )
  const shown = {
    database: await dump(),
    logs: brokers.map(({ stdout, stderr }) => stdout() + stderr()).join('\n'),
    pages: (await Promise.all(pages)).join('\n'),
    refusal: refusal instanceof Refused ? JSON.stringify(refusal.problem) : 'none',
  }
  const seen = Object.entries(shown).flatMap(([where, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      encodings(secret).some((form) => text.includes(form)) ? [`${name} in the ${where}`] : [],
    ),
  )
  expect(seen).toEqual([])
  expect(shown.database, 'what is no secret is seen').toContain(run.consent)
})

/** Every table, as text: octets are hex in it. */
async function dump(): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class
     where relkind = 'r' and relnamespace in ('procura'::regnamespace, 'ledger'::regnamespace)`,
  )
  const texts = tables.map(async ({ name }) => {
    const rows = await database.query<{ text: string }>(`select t::text as text from ${name} t`)
    return rows.map(({ text }) => `${name} ${text}`).join('\n')
  })
  return (await Promise.all(texts)).join('\n')
}

/** Of a part that no encoding of the whole can split. */
function encodings(secret: string): string[] {
  const octets = Buffer.from(secret)
  const base64 = (skip: number) =>
    Buffer.concat([Buffer.alloc(skip), octets])
      .toString('base64')
      .slice(4, -4)
  const forms = [secret, octets.toString('hex'), encodeURIComponent(secret)]
  for (const skip of [0, 1, 2])
    forms.push(base64(skip), base64(skip).replaceAll('+', '-').replaceAll('/', '_'))
  return forms.filter((form) => form.length >= 16)
}

it('[ADM-03, ADM-01] what is another’s looks exactly like what is not there', async () => {
  const kim = await aRun(by.as('kim'), issuer, { tools: ['sql.query'], purpose: 'maintenance' })
  const ana = await aRun(by.as('ana'), issuer, READING)
  const asked = await kim.client.requestCredential(query('drop table orders'))
  const given = await kim.client.requestCredential(query('select 1 from orders for update'))
  if (asked.status !== 'pending' || given.status !== 'active')
    throw new Error('one was to be asked about')
  const revocation = textIn(await by.as('kim').delete(`/v1/consents/${kim.consent}`), 'id')
  const decision = textIn(given.body, 'decision_id')
  const bodyOf = async (attempt: Promise<unknown>, ids: readonly string[]) => {
    const error = await attempt.then(
      (value) => value,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof Refused)) return JSON.stringify(error)
    let text = JSON.stringify(error.problem)
    for (const id of [...ids, textIn(error.problem, 'request_id')]) text = text.replaceAll(id, '')
    return `${String(error.status)} ${text}`
  }
  const none = (id: string) => id.replace(/.{10}$/, '0000000000')
  const same: [string, (id: string) => Promise<unknown>, string][] = [
    ['its decision, an agent', (id) => ana.client.decision(id), decision],
    ['its credential, an agent', (id) => ana.client.credential(id), given.id],
    ['its end, an agent', (id) => ana.client.giveBack(id), given.id],
    ['its approval, an agent', (id) => ana.client.approval(id), asked.approval],
    ['its decision', (id) => by.as('ana').get(`/v1/decisions/${id}`), decision],
    ['its consent', (id) => by.as('ana').get(`/v1/consents/${id}`), kim.consent],
    ['the end of its consent', (id) => by.as('ana').delete(`/v1/consents/${id}`), kim.consent],
    ['its agent', (id) => by.as('ana').get(`/v1/agents/${id}`), kim.agent],
    ['the end of its agent', (id) => by.as('ana').delete(`/v1/agents/${id}`), kim.agent],
    ['its revocation', (id) => by.as('ana').get(`/v1/revocations/${id}`), revocation],
    ['its approval', (id) => by.as('ana').get(`/v1/approvals/${id}`), asked.approval],
    [
      'use of its approval',
      (id) => ana.client.requestCredential({ ...query(COUNT), approval: id }),
      asked.approval,
    ],
    [
      'a consent for its agent',
      (id) =>
        by
          .as('ana')
          .post('/v1/consents', { ...READING, agent_id: id, max_uses: 1, expires_at: inOneHour() }),
      kim.agent,
    ],
  ]
  for (const [what, ask, id] of same) {
    const [theirs, nobodys] = [await bodyOf(ask(id), [id]), await bodyOf(ask(none(id)), [none(id)])]
    expect(theirs, what).toMatch(/^40[34] /)
    expect(theirs, what).toBe(nobodys)
  }
})
