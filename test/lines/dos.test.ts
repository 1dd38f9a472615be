/** Requests that are cheap to send and meant to be dear to answer. */
import { expect } from 'vitest'
import { JsonError, type JsonObject, readJson } from '../../src/domain/json.ts'
import { COUNT, READING, REFUND } from '../scenario/house.ts'
import { BODY } from './adaptor.ts'
import { twoBrokers } from './house.ts'
import { exchange } from './wire.ts'

const { line } = twoBrokers()
const KIB = 1024

/** Milliseconds of processor time, the least of some: the machine is not ours alone. */
function costOf(work: () => unknown): number {
  const once = () => {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1000
  }
  return Math.min(...Array.from({ length: 5 }, once))
}

line(
  '[DOS-01] a body beyond 256 KiB is 413, announced or not, and the connection is closed',
  async (w) => {
    const st = await w.ST(w.agent)
    const tooMuch = 'x'.repeat(256 * KIB + 1)
    const type = ['Content-Type', 'application/json'] as const
    const announced = await w.CR(w.agent, { st, body: tooMuch })
    const chunked = await w.send({
      ...{ method: 'POST', path: '/v1/credentials' },
      headers: [['Authorization', `DPoP ${st}`], type, ['Transfer-Encoding', 'chunked']],
      body: `${tooMuch.length.toString(16)}\r\n${tooMuch}\r\n0\r\n\r\n`,
    })
    for (const answer of [announced, chunked]) {
      await w.refused(answer, { status: 413, code: 'payload_too_large' })
      expect(answer.headers.get('connection')).toBe('close')
    }
    const most = { ...BODY, justification: 'x'.repeat(2000) }
    await w.accepted(w.CR(w.agent, { st, body: most }))
  },
)

line('[DOS-02] nesting without end is refused before anything is built from it', async (w) => {
  const st = await w.ST(w.agent)
  const deep = `{"tool":"payments.refund","arguments":{"a":${'['.repeat(100_000)}`
  for (const text of [deep, deep.replaceAll('[', '{"a":')]) {
    const body = text.slice(0, 250 * KIB)
    await w.refused(w.CR(w.agent, { st, body }), { status: 400, code: 'too_complex' })
    const bytes = Buffer.from(body)
    const read = () => {
      expect(() => readJson(bytes)).toThrow(JsonError)
    }
    expect(costOf(read)).toBeLessThan(10)
  }
})

line(
  '[DOS-04] a header named like a prototype is only a header; 17 KB of headers are 431',
  async (w) => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
    await w.accepted(w.CR(w.agent, { headers: names.map((name) => [name, 'polluted']) }))
    const many = (count: number, bytes: number) =>
      w.CR(w.agent, {
        headers: Array.from({ length: count }, (_, at) => [`X-${String(at)}`, 'x'.repeat(bytes)]),
      })
    for (const [count, bytes] of [
      [1, 17 * KIB],
      [17, KIB],
      [101, 1],
    ] as const) {
      await w.refused(many(count, bytes), { status: 431, code: 'headers_too_large' })
    }
    await w.accepted(many(80, 100))
  },
)

const LONG = [
  `${'a'.repeat(50 * KIB)}!`,
  '('.repeat(50 * KIB),
  ' '.repeat(50 * KIB),
  '/*'.repeat(25 * KIB),
  '+-'.repeat(25 * KIB),
  '\u00e9'.repeat(25 * KIB),
]

line(
  '[DOS-07] long texts in every field and in every path keep nobody waiting',
  async (w) => {
    const reader = await w.anAgent({ terms: READING })
    await w.accepted(w.EX(reader, { body: { tool: 'sql.query', arguments: { sql: COUNT } } }), 200)
    const refused = { status: [400, 401, 403, 404, 410, 413, 422] }
    for (const text of LONG) {
      const bodies: JsonObject[] = [
        ...['tool', 'purpose', 'justification', 'approval', text.slice(0, 100)].map((name) => ({
          ...BODY,
          [name]: text,
        })),
        ...['order_id', 'currency', 'note', 'amount'].map((name) => ({
          ...BODY,
          arguments: { ...REFUND, [name]: text },
        })),
      ]
      const st = await w.ST(w.agent)
      for (const body of bodies) await w.refused(w.EX(w.agent, { st, body }), refused)
      const sql = { tool: 'sql.query', arguments: { sql: `${COUNT} ${text}` } }
      expect([201, 403]).toContain((await w.CR(reader, { body: sql })).status)
      for (const name of ['agent_id', 'purpose', 'expires_at', 'tools', 'constraints']) {
        const consent = { agent_id: w.agent.id, tools: ['payments.refund'], [name]: text }
        await w.refused(w.CO(consent), refused)
      }
      for (const name of ['name', 'description']) await w.refused(w.AG({ [name]: text }), refused)
      for (const name of ['grant_type', 'client_assertion', 'consent_id', 'purpose', 'model']) {
        await w.refused(w.TK(w.agent, { form: { [name]: text } }), refused)
      }
      const inPath = encodeURIComponent(text).slice(0, 8000)
      for (const path of ['/v1/agents/', '/v1/approvals/', '/v1/ledger/']) {
        const answer = await w.asBearer(w.PT('kim'), 'GET', path + inPath)
        expect([404, 414]).toContain(answer.status)
      }
      // What is refused at nobody's face is counted, and not on record.
      for (const path of ['/problems/', '/']) {
        const answer = await exchange(w.brokers[0].port, {
          method: 'GET',
          path: path + inPath,
        })
        expect([404, 414]).toContain(answer.status)
      }
    }
  },
  { timeout: 60_000, isCounted: false },
)

line('[DOS-10] a query nested without end is refused, or not looked into', async (w) => {
  const token = w.PT('kim')
  const get = (query: string, path = '/v1/agents') => w.asBearer(token, 'GET', `${path}?${query}`)
  const nested = `a${'[b][c]'.repeat(1000)}=1`
  await w.refused(get(nested), { status: 422, code: 'schema_violation' })
  expect(costOf(() => new URLSearchParams(nested))).toBeLessThan(10)
  await w.refused(get(nested.repeat(2)), { status: 414, code: 'uri_too_long' })
  await w.refused(get(Array.from({ length: 1000 }, () => 'a[]=1').join('&')), { status: 400 })
  const many = Array.from({ length: 1000 }, (_, at) => `a${String(at)}=1`).join('&')
  await w.refused(get(many), { status: [414, 422] })
  await w.accepted(get('limit=1'), 200)
})
