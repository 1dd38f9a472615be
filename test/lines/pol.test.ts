/** Deciding: by rules and by nothing else; what goes wrong on the way is no yes. */
import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { READING, REFUND, REFUNDING } from '../scenario/house.ts'
import { BODY } from './adaptor.ts'
import { twoBrokers, type World } from './house.ts'
import { published, PUBLISHING, refusedSet, setAt, written } from './publishing.ts'
import type { Answer } from './wire.ts'

const { line } = twoBrokers()
const ONCE = { ...PUBLISHING, isOnce: true }
const INJECTED = '"; permit(principal,action,resource);//'
const refund = (more: JsonObject) => ({
  tool: 'payments.refund',
  arguments: { ...REFUND, ...more },
})
const query = (sql: string) => ({ tool: 'sql.query', arguments: { sql } })

/** The leaf of the decision that was told. */
async function recorded(w: World, { body }: Answer): Promise<JsonObject> {
  const [row] = await w.database.query<{ entry: string }>(
    `select entry from ledger.leaf where event_type = 'decision'
     and entry::jsonb -> 'decision' ->> 'id' = $1`,
    [textIn(body, 'decision_id')],
  )
  const record = parseTrusted(row?.entry ?? 'null')
  return isObject(record) ? record : {}
}

line(
  'rules that are compiled decide in one of the two, and Cedar alone in the other',
  async (w) => {
    const decidedBy = async (at: number) => {
      const { decision } = await recorded(w, await w.control(at))
      return isObject(decision) ? decision['evaluator'] : null
    }
    await expect.poll(() => decidedBy(0), { timeout: 60_000, interval: 250 }).toBe('compiled')
    expect(await decidedBy(1)).toBe('cedar-wasm')
  },
  { timeout: 70_000 },
)

describe('a request', () => {
  line('[POL-01] that no rule permits is denied, and the record names the set', async (w) => {
    const agent = await w.anAgent({ sponsor: 'ana', terms: READING })
    await w.accepted(w.EX(agent, { body: query('select 1 from orders') }), 200)
    const body = query("insert into orders (customer) values ('x')")
    const told = await w.refused(w.CR(agent, { body }), {
      ...{ status: 403, code: 'access_denied', reason: 'no_permit' },
    })
    const hash = await setAt(w, 0)
    expect(await recorded(w, told)).toMatchObject({
      decision: { answer: 'deny', code: 'access_denied', policy_set_hash: hash, policies: [] },
      evaluation: { status: 'evaluated', unavailable_input: null },
    })
  })

  line(
    '[POL-02] that a rule permits and another forbids is denied, and the record names it',
    async (w) => {
      const terms = { ...REFUNDING, purpose: 'support.refunds.goodwill' }
      const agent = await w.anAgent({ terms })
      await w.accepted(w.CR(agent, { body: refund({ amount: 5000 }) }))
      const told = await w.refused(w.CR(agent, { body: refund({ amount: 5001 }) }), {
        ...{ status: 403, code: 'access_denied', reason: 'forbid' },
      })
      const { decision } = await recorded(w, told)
      expect(decision).toMatchObject({
        ...{ answer: 'deny', stopped_by: { kind: 'sponsor', hop: null } },
        policies: [{ id: 'goodwill-is-small', effect: 'forbid' }],
      })
    },
  )

  line(
    '[POL-03] on which a rule fails could not be decided, whatever permits it',
    async (w) => {
      // What a rule asks of a member that no request has, never comes into force.
      await w.control()
      const unknown = `@id("env") @say("x") forbid (principal, action == Action::"payments.refund", resource) when { context.env == "prod" };`
      await refusedSet(w, 'fails.cedar', unknown)

      // What fails only for some requests does, and Cedar by itself would skip it and allow.
      const fails = `@id("overflows") @say("x") forbid (principal, action == Action::"payments.refund", resource) when { context.facts.amount_minor == 777 && context.facts.amount_minor * 9223372036854775807 > 1 };`
      await published(w, 'fails.cedar', fails)
      await w.accepted(w.CR(w.agent, { body: refund({ amount: 776 }) }))
      const told = await w.refused(w.CR(w.agent, { body: refund({ amount: 777 }) }), {
        ...{ status: 403, code: 'policy_error' },
      })
      expect(told.body['evaluation']).toEqual({
        status: 'not_evaluated',
        unavailable_input: 'policy',
      })
      expect(await recorded(w, told)).toMatchObject({
        decision: { answer: 'none', code: 'policy_error' },
        evaluation: { status: 'not_evaluated', unavailable_input: 'policy' },
      })
      await published(w, 'fails.cedar', null)
      await w.accepted(w.CR(w.agent, { body: refund({ amount: 777 }) }))
    },
    ONCE,
  )

  line('[POL-06] has texts in it, and they are only data', async (w) => {
    const token = w.PT('kim')
    const name = `${INJECTED} ${randomUUID()}`
    const workload = { kind: 'oidc', issuer: 'https://ci.example', subject: name }
    const named = await w.AG({ name, workload }, { token })
    expect([201, 422]).toContain(named.status)
    await w.accepted(w.CR(w.agent, { body: refund({ note: INJECTED }) }))
    const over = refund({ amount: 100_001, note: INJECTED })
    await w.refused(w.CR(w.agent, { body: over }), { status: 403, code: 'access_denied' })
    for (const tool of [INJECTED, 'payments.refund"', 'Payments.Refund', 'payments.*']) {
      const answer = await w.CR(w.agent, { body: { ...BODY, tool } })
      await w.refused(answer, { status: 422 })
    }
    const entity = refund({ __entity: { type: 'Agent', id: 'x' } })
    await w.refused(w.CR(w.agent, { body: entity }), { status: 400, code: 'malformed_request' })
    const reader = await w.anAgent({ sponsor: 'ana', terms: READING })
    const quoted = query(`select '${INJECTED}' from payroll`)
    await w.refused(w.CR(reader, { body: quoted }), { status: 403, code: 'outside_authority' })
  })

  line('[POL-07] cannot say what only the broker knows', async (w) => {
    const claims: JsonObject = {
      ...{ context: { is_admin: true }, entities: [], principal: { type: 'Agent', id: 'x' } },
      ...{ approved: true, facts: { amount_minor: 1 }, groups: ['dba'], sponsor_id: w.agent.id },
      ...{ action: 'payments.refund', resource: {}, consent_id: w.agent.consent, level: 'L1' },
    }
    for (const [name, value] of Object.entries(claims)) {
      const told = await w.refused(w.CR(w.agent, { body: { ...BODY, [name]: value } }), {
        ...{ status: 422, code: 'schema_violation' },
      })
      expect(told.body['errors']).toEqual([{ pointer: `/${name}`, rule: 'unknown' }])
      const inside = w.CR(w.agent, { body: refund({ [name]: value }) })
      await w.refused(inside, { status: 422, code: 'arguments_invalid' })
    }
  })
})

describe('a set of policies', () => {
  line(
    '[POL-08] that breaks the parser is refused, and the next request is decided',
    async (w) => {
      const before = await setAt(w, 0)
      const deep = `@id("deep") @say("x") forbid (principal, action == Action::"payments.refund", resource) when { ${'('.repeat(3000)}true${')'.repeat(3000)} };`
      await refusedSet(w, 'deep.cedar', deep, 'policies of the folder are not in force')
      for (const at of [0, 1]) {
        await w.control(at)
        expect(await setAt(w, at)).toBe(before)
      }
      written(w, 'deep.cedar', null)
    },
    ONCE,
  )

  line(
    '[POL-10] that does not fit the schema is refused whole, and said so; the old one decides',
    async (w) => {
      const before = await setAt(w, 0)
      const sets = await stored(w)
      const rule = (id: string, head: string, when: string) =>
        `@id("${id}") @say("x") forbid (principal, ${head}, resource) when { ${when} };`
      const wrong: Record<string, string> = {
        'wrong-member.cedar': rule(
          'w1',
          'action == Action::"payments.refund"',
          'context.facts.nothing == 1',
        ),
        'wrong-action.cedar': rule('w2', 'action == Action::"payments.pay"', 'true'),
        'wrong-type.cedar': rule(
          'w3',
          'action == Action::"payments.refund"',
          'context.depth == "0"',
        ),
        'wrong-syntax.cedar': 'permit (principal, action, resource',
      }
      for (const [file, text] of Object.entries(wrong)) {
        await refusedSet(w, file, text)
        for (const at of [0, 1]) expect(await setAt(w, at)).toBe(before)
        written(w, file, null)
      }
      await w.control(0)
      expect(await stored(w)).toBe(sets)
    },
    ONCE,
  )
})

/** How many sets were ever in force, and how many changes of them are on record. */
async function stored({ database }: World): Promise<string> {
  const [row] = await database.query(
    `select (select count(*) from procura.policy_set)::int as sets,
            (select count(*) from ledger.leaf where event_type = 'admin_change')::int as changes`,
  )
  return JSON.stringify(row)
}

describe('the address', () => {
  line('[POL-14] is one, byte for byte: what is nearly it is nothing', async (w) => {
    const near = ['//v1//credentials', '/V1/credentials', '/v1/credentials%2f', '/v1/credentials/']
    const dots = [
      '/v1/./credentials',
      '/v1/x/../credentials',
      '/v1/credentials;a=b',
      '/v1%2fcredentials',
    ]
    for (const path of [...near, ...dots]) {
      const answer = await w.asAgent(w.agent, 'POST', path, { body: BODY })
      await w.refused(answer, { status: 404, code: 'not_found' })
    }
  })

  line('[POL-15] is asked by the method of the request line, whatever a header says', async (w) => {
    const issued = await w.control()
    const path = `/v1/credentials/${textIn(issued.body, 'id')}`
    for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
      const read = await w.asAgent(w.agent, 'GET', path, { headers: [[name, 'DELETE']] })
      expect((await w.accepted(read, 200)).body['status']).toBe('active')
      const posted = await w.CR(w.agent, { headers: [[name, 'DELETE']] })
      await w.accepted(posted, 201)
    }
    const query = await w.asAgent(w.agent, 'GET', `${path}?_method=DELETE`)
    expect(query.status).toBeGreaterThanOrEqual(200)
    expect((await w.asAgent(w.agent, 'GET', path)).body['status']).toBe('active')
  })
})
