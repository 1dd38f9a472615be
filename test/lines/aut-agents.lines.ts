/** Who is who, when many call at once, and when an agent is no more. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { inOneHour, READING } from '../scenario/house.ts'
import { memberOf } from './adaptor.ts'
import { SESSION } from './faces.ts'
import { forge, insideOf } from './forging.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const AT_ONCE = 20

/** All of them, so many at a time. */
async function inTurns<T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> {
  const done: T[] = []
  for (let from = 0; from < count; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, k) => work(from + k))
    done.push(...(await Promise.all(some)))
  }
  return done
}

line(
  '[AUT-26] tokens that look alike are told apart: each answer is to its own subject',
  async (w) => {
    const jti = randomUUID()
    const ana = await w.anAgent({ sponsor: 'ana', terms: READING })
    const people = [w.PT('kim', { claims: { jti } }), w.PT('ana', { claims: { jti } })] as const
    const agents = [w.agent.id, ana.id] as const
    const mixed = await inTurns(1000, async (n) => {
      const who = n % 2
      const { body } = await w.asBearer(people[who] ?? '', 'GET', '/v1/agents', { at: (n % 3) % 2 })
      const seen = (body['items'] as JsonObject[]).map(({ id }) => id)
      return seen.includes(agents[who] ?? '') && !seen.includes(agents[1 - who] ?? '') ? 0 : 1
    })
    expect(mixed.filter((it) => it === 1).length, 'people').toBe(0)
  },
  { timeout: 120_000 },
)

line(
  '[AUT-26] and so are sessions with one jti and one beginning',
  async (w) => {
    const agents = [w.agent, await w.anAgent()] as const
    const jti = randomUUID()
    const sessions: string[] = []
    const decisions: string[] = []
    for (const agent of agents) {
      const { holder } = await SESSION.valid(w)
      const { header, claims } = insideOf(await w.ST(agent))
      const st = forge({ holder, header, claims: { ...claims, jti } })
      sessions.push(st)
      decisions.push(memberOf(await w.accepted(w.CR(agent, { st })), 'decision_id'))
    }
    const statuses = await inTurns(400, async (n) => {
      const [who, whose] = [n % 2, (n >> 1) % 2]
      const path = `/v1/decisions/${decisions[whose] ?? ''}`
      const st = sessions[who] ?? ''
      const { status } = await w.asAgent(agents[who] ?? w.agent, 'GET', path, {
        st,
        at: (n % 3) % 2,
      })
      return status === (who === whose ? 200 : 404) ? 0 : 1
    })
    expect(statuses.filter((it) => it === 1).length).toBe(0)
  },
  { timeout: 120_000 },
)

/** What a token of a retired agent is told, at each replica. */
async function isOver(w: World, agent: World['agent'], st: string): Promise<void> {
  for (const at of [0, 1]) {
    const again = await w.TK(agent, { at })
    const isStopped = again.status === 400 && again.body['code'] === 'stopped'
    expect(again.status === 401 || isStopped, again.text).toBe(true)
    const asked = await w.refused(w.CR(agent, { st, at }), { status: 403, code: 'chain_invalid' })
    expect(asked.body).toMatchObject({ outcome: 'revoked' })
  }
}

line(
  '[AUT-28] the tokens of a retired agent are worth nothing, at once and everywhere',
  async (w) => {
    for (const kind of ['own', 'oidc', 'spiffe'] as const) {
      const agent = await w.anAgent({ kind })
      const st = await w.ST(agent)
      await w.accepted(w.CR(agent, { st, at: 0 }))
      await w.accepted(w.CR(agent, { st, at: 1 }))
      await w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/agents/${agent.id}`), 200)
      await isOver(w, agent, st)
    }
  },
)

line('[AUT-29] a new agent of the same name and workload inherits nothing', async (w) => {
  const terms = { tools: ['sql.query'], purpose: 'maintenance' }
  const old = await w.anAgent({ terms, kind: 'oidc' })
  const body = { tool: 'sql.query', arguments: { sql: 'drop table orders_archive' } }
  const st = await w.ST(old)
  const asked = await w.accepted(w.CR(old, { st, body }), 202)
  const approval = (asked.body['approval'] as { id: string }).id
  const shown = await w.asBearer(w.PT('ben'), 'GET', `/v1/approvals/${approval}`)
  const hash = memberOf(shown, 'binding_hash')
  await w.accepted(w.AP(approval, { decision: 'approve', binding_hash: hash }), 200)
  await w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/agents/${old.id}`), 200)

  const workload = { kind: 'oidc', issuer: 'https://ci.example', subject: old.subject }
  const id = memberOf(await w.accepted(w.AG({ name: old.subject, workload })), 'id')
  expect(id).not.toBe(old.id)
  const heir = { ...old, id }
  await w.refused(w.TK(heir), { status: 400, error: 'invalid_grant', code: 'no_consent' })
  await w.refused(w.CR(heir, { st, body }), { status: 403, code: 'chain_invalid' })
  const given = { agent_id: id, expires_at: inOneHour(), max_uses: 10, ...terms }
  const consent = memberOf(await w.accepted(w.CO(given)), 'id')
  // Another run: the key of the old one is the old one's.
  const run = { ...heir, consent, key: (await w.anAgent()).key }
  const used = w.CR(run, { body: { ...body, approval } })
  await w.refused(used, { status: 404, code: 'not_found' })
})
