/** What those see who look: at what is another's, at what is for operators, at what was stored. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { filled, type Operation, operations } from '../fakes/contract.ts'
import { READING } from '../scenario/house.ts'
import { type Agent, BODY, memberOf } from './adaptor.ts'
import { chainsOf } from './chains.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { type Answer, exchange } from './wire.ts'

const withId = operations().filter(({ path }) => path.includes('{id}'))

/** One object of each kind, by the beginning of its path. They are kim's and her agent's. */
async function objectsOf(w: World): Promise<Record<string, string>> {
  const big = { ...BODY, arguments: { ...(BODY['arguments'] as JsonObject), amount: 20_000 } }
  const asked = await w.accepted(w.CR(w.agent, { body: big }), 202)
  const given = await w.accepted(w.CR(w.agent))
  const gone = await w.anAgent()
  const retired = await w.asBearer(w.PT('kim'), 'DELETE', `/v1/agents/${gone.id}`)
  const { aDelegator, hop, DG } = chainsOf(w)
  const { agent: desk, root } = await aDelegator()
  const handed = await w.accepted(DG(desk, hop(root, await w.anAgent())))
  return {
    '/v1/chains': memberOf(given, 'id'),
    '/v1/delegations': memberOf(handed, 'id'),
    '/v1/agents': w.agent.id,
    '/v1/consents': w.agent.consent,
    '/v1/credentials': memberOf(given, 'id'),
    '/v1/approvals': (asked.body['approval'] as { id: string }).id,
    '/v1/revocations': memberOf(retired, 'id'),
    '/v1/decisions': memberOf(given, 'decision_id'),
  }
}

const kindOf = ({ path }: Operation) => path.split('/').slice(0, 3).join('/')

/** As somebody of another house: another sponsor with nothing else, and another sponsor's agent. */
async function looks(w: World, other: Agent, it: Operation, id: string): Promise<Answer[]> {
  const { method } = it
  const path = filled(it.path, id)
  const body = it.request === null ? '' : JSON.stringify(it.request.example)
  const answers: Answer[] = []
  for (const scheme of it.security) {
    if ('session' in scheme) answers.push(await w.asAgent(other, method, path, { body }))
    if ('person' in scheme) {
      const roles = { claims: { roles: ['sponsor', 'approver'], groups: [] } }
      answers.push(await w.asBearer(w.PT('ana', roles), method, path, { body }))
    }
  }
  return answers
}

line(
  '[ADM-03] every id of somebody else is the same 404 as one that never was',
  async (w) => {
    const objects = await objectsOf(w)
    const other = await w.anAgent({ sponsor: 'ana', terms: READING })
    expect(withId.length).toBeGreaterThan(8)
    for (const it of withId) {
      const id = objects[kindOf(it)] ?? ''
      const never = newId(id.slice(0, 3) as 'agt', new Date())
      const [others, nobodys] = [await looks(w, other, it, id), await looks(w, other, it, never)]
      expect(others.length, it.path).toBeGreaterThan(0)
      for (const [n, answer] of others.entries()) {
        if (tells(it)) {
          await w.refused(answer, { status: 403, code: 'approver_not_allowed' })
          continue
        }
        await w.refused(answer, { status: 404, code: 'not_found' })
        expect(shownOf(answer, id), `${it.method} ${it.path}`).toEqual(shownOf(nobodys[n], never))
      }
    }
    for (const path of ['/v1/agents', '/v1/consents', '/v1/approvals']) {
      const { text } = await w.accepted(
        w.asBearer(w.PT('ana', { claims: { roles: ['sponsor', 'approver'] } }), 'GET', path),
        200,
      )
      for (const id of Object.values(objects)) expect(text).not.toContain(id)
    }
  },
  { isCounted: false, timeout: 90_000 },
)

/** An approver who is not the one asked is told so: the one refusal that an id of another's makes. */
const tells = ({ path }: Operation) => path === '/v1/approvals/{id}/decision'

/** All of an answer that does not differ from one call to the next. */
function shownOf(answer: Answer | undefined, id: string) {
  const { request_id: _, instance: __, ...body } = answer?.body ?? {}
  const headers = [...(answer?.headers.keys() ?? [])]
  return { status: answer?.status, headers, body: JSON.stringify(body).replaceAll(id, 'id') }
}

line(
  '[ADM-06] what guards a target cannot be read back by anybody, whatever they are',
  async (w) => {
    const everything = w.PT('lee', {
      claims: { roles: ['sponsor', 'approver', 'auditor', 'operator'] },
    })
    const [row] = await w.database.query<{ text: string }>(
      `select encode(ciphertext, 'hex') as text from procura.connector_secret`,
    )
    expect(row?.text).toMatch(/^[0-9a-f]{40,}$/)
    for (const { method, path } of operations().filter((it) => it.method === 'GET')) {
      const { text } = await w.asBearer(everything, method, filled(path, 'orders-db'))
      expect(text, path).not.toMatch(/admin_user|connector_secret|ciphertext|scram-sha/i)
      expect(text, path).not.toContain(row?.text)
    }
  },
  { isCounted: false, timeout: 90_000 },
)

const PUBLIC = ['/metrics', '/livez', '/readyz']

line(
  '[ADM-13] what is told to strangers names nobody, and does not grow with callers',
  async (w) => {
    const { port } = w.brokers[0]
    const page = async (path: string) => await exchange(port, { method: 'GET', path })
    const series = async () =>
      (await page('/metrics')).text
        .split('\n')
        .filter((it) => /^\w+(\{|\s)/.test(it))
        .map((it) => it.replace(/ [\d.e+-]+$/, ''))
    const canary = randomUUID()
    for (const face of ['bad', 'worse']) {
      await w.refused(w.CR(w.agent, { st: `${face}-${canary}` }), { status: 401 })
      await w.refused(w.asBearer(canary, 'GET', `/v1/agents/${canary}`), { status: 401 })
    }
    await page(`/${canary}`)
    await page(`/problems/${canary}`)
    const before = await series()
    for (let n = 0; n < STRANGERS; n += 1) {
      const name = `${canary}-${String(n)}`
      await w.send({
        method: 'GET',
        path: `/v1/agents/${name}?x=${name}`,
        headers: [
          ['User-Agent', name],
          ['Authorization', `Bearer ${name}`],
          ['X-Request-ID', name],
        ],
      })
      await exchange(port, { method: 'GET', path: `/${name}` })
    }
    expect(await series()).toEqual(before)

    const ids = [w.agent.id, w.agent.consent, w.agent.subject, 'kim', canary]
    const [version] = await w.database.query<{ server_version: string }>('show server_version')
    for (const path of PUBLIC) {
      const { text, headers } = await page(path)
      for (const id of ids) expect(text, path).not.toContain(id)
      expect(text, path).not.toMatch(
        /\b[a-z]{3}_[0-9a-z]{26}\b|eyJ|node_modules|\d+\.\d+\.\d+\.\d+/,
      )
      for (const told of [
        process.versions.node,
        'express',
        'Postgres',
        version?.server_version ?? '?',
      ]) {
        expect(text, path).not.toContain(told)
        expect([...headers.values()].join('\n'), path).not.toContain(told)
      }
      expect(headers.has('server') || headers.has('x-powered-by')).toBe(false)
    }
  },
  { isCounted: false, timeout: 120_000 },
)
/** Enough to show if each made a series; the bound for whatever comes is held by test/http/metrics.test.ts. */
const STRANGERS = 400

line(
  '[ADM-16] of ten questions a bad one is told apart, and the others are answered in their places',
  async (w) => {
    const [kim] = await w.database.query<{ id: string }>(
      `select id from procura.person where subject = 'kim'`,
    )
    const asked = (context: JsonObject) => ({
      subject: { type: 'identity', id: kim?.id ?? '' },
      action: { name: 'tools/call' },
      resource: { type: 'tool', id: 'payments.refund' },
      context: {
        agent: w.agent.id,
        consent_id: w.agent.consent,
        purpose: 'support.refunds',
        ...context,
      },
    })
    const good = asked({ arguments: BODY['arguments'] as JsonObject })
    const bad: JsonObject[] = [
      { ...good, subject: { type: 'identity' } },
      { ...good, action: 'tools/call' },
      { ...good, context: [] },
      asked({ purpose: 7 }),
    ]
    for (const malformed of bad) {
      const evaluations: JsonObject[] = Array.from({ length: 10 }, () => good)
      evaluations[2] = malformed
      evaluations[6] = asked({ arguments: {} })
      const path = '/access/v1/evaluations'
      const { body } = await w.accepted(
        w.asBearer(w.SA(), 'POST', path, { body: { evaluations } }),
        200,
      )
      const answers = body['evaluations'] as { decision: boolean; context: { code?: string } }[]
      const told = answers.map(({ decision, context }) =>
        decision ? 'yes' : (context.code ?? 'no'),
      )
      const expected: string[] = Array.from({ length: 10 }, () => 'yes')
      expect(told).toEqual(expected.with(2, 'malformed_request').with(6, 'arguments_invalid'))
    }
  },
)
