/** Freezing: nothing in its scope on any face, until an operator lifts it. */
import { expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import type { Json, JsonObject } from '../../src/domain/json.ts'
import { REFUND } from '../scenario/house.ts'
import type { Agent } from './adaptor.ts'
import { insideOf } from './forging.ts'
import { line } from './pair.ts'
import { FZ, spendingOf, tokenIn, whileFrozen } from './stopping.ts'

/** The two replicas, one after the other. */
const EACH = [0, 1]

line('[I-02] while a tool is frozen it gives nothing, to nobody, on any face', async (w) => {
  const { agent } = w
  const st = await w.ST(agent)
  const { sub = '' } = insideOf(st).claims
  const { body } = await w.accepted(w.CR(agent, { st }))
  const token = tokenIn({ body })
  const scope = { kind: 'tool', id: 'payments.refund' }
  await whileFrozen(w, scope, async (frozen) => {
    await w.accepted(FZ(w, scope, { at: 1 }), 200)
    for (const at of EACH) {
      await w.refused(w.CR(agent, { st, at }), { status: 403, code: 'frozen' })
      const explained = await w.accepted(w.EX(agent, { st, at }), 200)
      expect(explained.body['would_be']).toEqual({ status: 403, code: 'frozen' })
      const asked = await w.accepted(w.AZ(tupleFor(agent, sub), { at }), 200)
      expect(asked.body).toMatchObject({ decision: false, context: { code: 'frozen' } })
      expect((await w.IN(token, { at })).body).toEqual({ active: false })
      const gone = { status: 410, code: 'credential_gone' } as const
      await w.refused(w.RD(spendingOf(token), { at }), gone)
      const listed = await w.asBearer(w.PT('kim'), 'GET', '/v1/freeze', { at })
      expect(listed.body['items']).toMatchObject([{ id: frozen['id'], scope, state: 'frozen' }])
    }
    await w.refused(FZ(w, scope, { as: 'kim', state: 'lifted' }), {
      status: 403,
      code: 'role_required',
    })
  })
  expect((await w.IN(token)).body['active']).toBe(true)
})

line('a tool is held back by its name, whatever the rules in force know of it', async (w) => {
  const scope = { kind: 'tool', id: 'payments.taken_out' }
  const { body } = await w.accepted(FZ(w, scope))
  expect(body).toMatchObject({ scope, state: 'frozen' })
  await w.accepted(FZ(w, scope, { state: 'lifted' }))
  for (const id of ['payments.*', 'payments', 'payments.Refund']) {
    await w.refused(FZ(w, { kind: 'tool', id }), { status: 422, code: 'schema_violation' })
  }
})

const tupleFor = (agent: Agent, sponsor: Json): JsonObject => ({
  subject: { type: 'identity', id: sponsor },
  action: { name: 'tools/call' },
  resource: { type: 'tool', id: 'payments.refund' },
  context: { agent: agent.id, consent_id: agent.consent, arguments: REFUND },
})

line(
  '[I-02] while everything is frozen there are no sessions either, and only an operator ends it',
  async (w) => {
    const { agent } = w
    const st = await w.ST(agent)
    const scope = { kind: 'everything' }
    await w.refused(FZ(w, scope, { as: 'kim' }), { status: 403, code: 'role_required' })
    await whileFrozen(w, scope, async () => {
      for (const at of EACH) {
        await w.refused(w.CR(agent, { st, at }), { status: 403, code: 'frozen' })
        const frozen = { status: 403, error: 'access_denied', code: 'frozen' } as const
        await w.refused(w.TK(agent, { at }), frozen)
      }
      await w.refused(FZ(w, scope, { as: 'kim', state: 'lifted' }), { status: 403 })
    })
    await w.refused(FZ(w, scope, { state: 'lifted' }), { status: 409, code: 'conflict' })
  },
)

line(
  'nothing is handed out after a freeze commits, whoever is under way',
  async (w) => {
    const { agent } = w
    const st = await w.ST(agent)
    const scope = { kind: 'tool', id: 'payments.refund' }
    const asking = Array.from({ length: 40 }, (_, n) => w.CR(agent, { st, at: n % 2 }))
    await whileFrozen(w, scope, async (frozen) => {
      const after = Array.from({ length: 10 }, (_, n) => w.CR(agent, { st, at: n % 2 }))
      for (const answer of await Promise.all(after)) {
        await w.refused(answer, { status: 403, code: 'frozen' })
      }
      for (const answer of await Promise.all(asking)) expect([201, 403]).toContain(answer.status)
      const [late] = await w.database.query<{ n: number }>(
        `select count(*)::int as n from ledger.leaf l where event_type = 'issuance' and index >
         (select index from ledger.leaf where event_id = $1)`,
        [textIn(frozen, 'event_id')],
      )
      expect(late?.n).toBe(0)
    })
  },
  { isCounted: false },
)
