/** Consents: by a person, to what was shown, to no more than they have. */
import { expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { inOneHour, READING, REFUNDING } from '../scenario/house.ts'
import { memberOf } from './adaptor.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { withhold } from './withheld.ts'

const terms = (w: World, changed: object = {}) => ({
  ...{ agent_id: w.agent.id, expires_at: inOneHour(), max_uses: 10, ...REFUNDING },
  ...changed,
})

line('[CON-01] an agent does not consent, whatever it shows', async (w) => {
  const body = terms(w)
  const st = await w.ST(w.agent)
  const refused = { status: 401, code: 'invalid_token' } as const
  await w.refused(w.asAgent(w.agent, 'POST', '/v1/consents', { st, body }), refused)
  await w.refused(w.CO(body, { token: st }), refused)
  await w.refused(w.CO(body, { token: w.WT(w.agent) }), refused)
  await w.refused(w.CO(body, { token: w.SA() }), refused)
  await w.refused(w.CO(body, { token: w.PT('ben') }), { status: 403, code: 'role_required' })
  await w.accepted(w.CO(body))
})

line('[CON-07] a consent is to something, and has an end', async (w) => {
  const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()
  const violations = [
    ...[{ tools: ['*'] }, { tools: [] }, { tools: ['payments*'] }, { tools: ['*.refund'] }],
    ...[{ tools: ['payments.refund', 'payments.refund'] }, { tools: ['Payments.Refund'] }],
    ...[{ tools: Array.from({ length: 65 }, (_, n) => `a.t${String(n)}`) }],
    ...[{ expires_at: inDays(91) }, { expires_at: inDays(-1) }, { expires_at: 'tomorrow' }],
    ...[{ max_uses: 0 }, { max_uses: 1_000_001 }, { max_uses: 1.5 }, { max_ttl_seconds: 3601 }],
    ...[{ max_hops: 8 }, { extra: true }, { tools: null }, { purpose: 'a purpose' }],
  ]
  for (const changed of violations) {
    const answer = await w.CO(terms(w, changed))
    await w.refused(answer, { status: 422, code: 'schema_violation' })
  }
  for (const name of ['agent_id', 'tools', 'purpose', 'expires_at', 'max_uses']) {
    const { [name]: _, ...others } = terms(w) as JsonObject
    await w.refused(w.CO(others), { status: 422, code: 'schema_violation' })
  }
  await w.refused(w.CO(terms(w, { tools: ['pay.out'] })), { status: 422, code: 'unknown_tool' })
  await w.refused(w.CO(terms(w, { purpose: 'world.rule' })), {
    status: 422,
    code: 'unknown_purpose',
  })
  await w.accepted(w.CO(terms(w, { expires_at: inDays(89) })))
})

line(
  '[CON-08] nobody consents to what they may not do, nor for somebody else’s agent',
  async (w) => {
    const ana = await w.anAgent({ sponsor: 'ana', terms: READING })
    const asAna = { token: w.PT('ana') }
    const denied = { status: 403, code: 'access_denied' } as const
    await w.refused(w.CO(terms(w, { agent_id: ana.id }), asAna), denied)
    const maintenance = { tools: ['sql.query'], purpose: 'maintenance', agent_id: ana.id }
    await w.refused(w.CO(terms(w, maintenance), asAna), denied)
    const both = { tools: ['sql.query', 'payments.refund'], purpose: 'reporting', agent_id: ana.id }
    await w.refused(w.CO(terms(w, both), asAna), denied)
    await w.refused(w.CO(terms(w), asAna), { status: 404, code: 'not_found' })
    await w.refused(w.CO(terms(w, { max_uses: 1001 })), denied)
    await w.accepted(w.CO(terms(w, { ...READING, agent_id: ana.id }), asAna))
  },
)

line(
  '[CON-11] what was decided is not delivered when the consent has gone meanwhile',
  async (w) => {
    for (const at of [0, 1]) {
      const agent = await w.anAgent()
      const st = await w.ST(agent)
      const leases = await withhold(w, 'procura.lease')
      const asking = w.CR(agent, { st, at: 0 })
      await leases.isWaitedFor()
      const ended = w.asBearer(w.PT('kim'), 'DELETE', `/v1/consents/${agent.consent}`, { at })
      await w.accepted(ended, 200).finally(leases.release)

      const answer = await w.refused(asking, { status: 403, code: 'chain_invalid' })
      expect(answer.body).toMatchObject({ outcome: 'revoked', hop: null })
      const decision = memberOf(answer, 'decision_id')
      const opened = await w.database.query<{ state: string }>(
        'select state from procura.lease where decision_id = $1',
        [decision],
      )
      expect(opened).toEqual([{ state: 'failed' }])
      const leaves = await w.database.query<{ type: string }>(
        `select event_type as type from ledger.leaf where entry like '%' || $1 || '%' order by index`,
        [decision],
      )
      expect(leaves.map(({ type }) => type)).toEqual(['decision', 'issuance_failed'])
    }
  },
  { isCounted: false },
)
