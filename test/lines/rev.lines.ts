/** Stopping: on every replica from the answer on, by whoever may, for good. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { aHolder } from '../identity/signing.ts'
import { type Agent, memberOf, OTHER_SHOP } from './adaptor.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { FZ, RV, spendingOf, tokenIn } from './stopping.ts'

/** An answer about readiness serves for a second. */
async function notReady(w: World, at: number): Promise<void> {
  const deadline = performance.now() + 5000
  for (;;) {
    const { status } = await w.send({ method: 'GET', path: '/readyz' }, at)
    if (status === 503) return
    if (performance.now() > deadline) throw new Error(`broker ${String(at)} says that it is ready`)
    await pause(50)
  }
}

/** The two replicas, one after the other. */
const EACH = [0, 1]

async function instanceOf(w: World, agent: Agent): Promise<string> {
  return memberOf(await w.TK(agent), 'instance_id')
}

for (const [kind, hop, idIn] of [
  ['instance', 0, instanceOf],
  ['agent', 0, (_w, agent) => Promise.resolve(agent.id)],
  ['consent', null, (_w, agent) => Promise.resolve(agent.consent)],
] as [string, number | null, (w: World, agent: Agent) => Promise<string>][]) {
  line(
    `[REV-12] a stopped ${kind} is refused on every replica from the answer on: nobody is notified, everybody looks`,
    async (w) => {
      const agent = await w.anAgent()
      const st = await w.ST(agent)
      const token = memberOf(await w.accepted(w.CR(agent, { st })), 'id')
      for (const at of EACH) await w.accepted(w.CR(agent, { st, at }))
      const id = await idIn(w, agent)
      await w.accepted(RV(w, { kind, id }))
      for (const at of EACH) {
        const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop } as const
        await w.refused(w.CR(agent, { st, at }), refusal)
        const explained = await w.accepted(w.EX(agent, { st, at }), 200)
        expect(explained.body['would_be']).toEqual({ status: 403, code: 'chain_invalid' })
        const codes = kind === 'consent' ? ['consent_inactive'] : ['stopped', 'invalid_client']
        const again = await w.TK(agent, { at })
        expect(again.status).toBeGreaterThanOrEqual(400)
        expect(codes, again.text).toContain(again.body['code'])
      }
      expect(token).toMatch(/^crd_/)
    },
  )
}

line(
  '[REV-05] a stop is once and for good: again 200 and the same id, and nothing for others',
  async (w) => {
    const agent = await w.anAgent()
    const target = { kind: 'agent', id: agent.id }
    const dry = await w.accepted(RV(w, target, { query: '?dry_run=true' }), 200)
    expect(dry.body).toMatchObject({ dry_run: true, revoked: { consents: 1 } })
    await w.accepted(w.CR(agent))
    for (const as of ['ana', 'cleo'] as const) {
      const status = as === 'ana' ? 404 : 403
      for (const query of ['', '?dry_run=true'])
        await w.refused(RV(w, target, { as, query }), { status })
    }
    const unknown = { kind: 'agent', id: newId('agt', new Date()) }
    await w.refused(RV(w, unknown), { status: 404, code: 'not_found' })
    await w.refused(RV(w, { kind: 'agent', id: agent.consent }), { status: 422 })
    await w.refused(RV(w, { kind: 'root', id: agent.id }), { status: 422 })
    await w.accepted(w.CR(agent))

    const first = await w.accepted(RV(w, target))
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => RV(w, target, { at: n % 2, as: n % 3 ? 'kim' : 'lee' })),
    )
    for (const answer of answers) {
      await w.accepted(answer, 200)
      expect(answer.body['id']).toBe(first.body['id'])
    }
  },
)

line('[REV-06] whoever may not stop something may not by any route', async (w) => {
  const [mine, theirs] = [await w.anAgent(), await w.anAgent()]
  const st = await w.ST(theirs)
  const issued = await w.accepted(w.CR(theirs, { st }))
  const id = memberOf(issued, 'id')
  const minted = tokenIn(issued)
  for (const at of EACH) {
    await w.refused(w.asAgent(mine, 'DELETE', `/v1/credentials/${id}`, { at }), { status: 404 })
    for (const target of [
      { kind: 'credential', id },
      { kind: 'consent', id: theirs.consent },
      { kind: 'agent', id: theirs.id },
      { kind: 'instance', id: await instanceOf(w, theirs) },
    ]) {
      await w.refused(RV(w, target, { at, as: 'ana' }), { status: 404, code: 'not_found' })
    }
    const ana = w.PT('ana')
    await w.refused(w.asBearer(ana, 'DELETE', `/v1/consents/${theirs.consent}`), { status: 404 })
    await w.refused(w.asBearer(ana, 'DELETE', `/v1/agents/${theirs.id}`), { status: 404 })
    // Another agent, and a service that it was not minted for: 200, and nothing happens.
    for (const token of [st, minted]) await w.accepted(RT(w, token, w.WT(mine), { at }), 200)
    for (const token of [st, minted, 'no.token.here']) {
      await w.accepted(RT(w, token, w.SA({}, OTHER_SHOP), { at }), 200)
    }
    await w.accepted(w.CR(theirs, { st, at }))
    expect((await w.IN(minted, { at })).body['active']).toBe(true)
  }
  await w.refused(RT(w, st, undefined), { status: 401, code: 'invalid_client' })
})

/** `POST /oauth/revoke` of this token, with this assertion. */
const RT = (w: World, token: string, assertion: string | undefined, { at = 0 } = {}) =>
  w.asForm(
    '/oauth/revoke',
    {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      ...{ client_assertion: assertion, token },
    },
    { at },
  )

line(
  '[REV-06] a session dies alone, by its agent; a credential by its agent or its target',
  async (w) => {
    const agent = await w.anAgent()
    const [one, other] = [await w.ST(agent), await w.ST(agent)]
    const credential = async () => {
      const { body } = await w.accepted(w.CR(agent, { st: other }))
      return tokenIn({ body })
    }
    const [first, second] = [await credential(), await credential()]
    for (let n = 0; n < 2; n += 1) {
      const answer = await w.accepted(RT(w, one, w.WT(agent)), 200)
      expect(answer.text).toBe('')
    }
    for (const at of EACH) {
      const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop: 0 } as const
      await w.refused(w.CR(agent, { st: one, at }), refusal)
      await w.accepted(w.CR(agent, { st: other, at }))
    }
    await w.accepted(RT(w, first, w.WT(agent)), 200)
    await w.accepted(RT(w, second, w.SA()), 200)
    for (const token of [first, second]) {
      for (const at of EACH) {
        expect((await w.IN(token, { at })).body).toEqual({ active: false })
        await w.refused(w.RD(spendingOf(token), { at }), {
          ...{ status: 410, code: 'credential_gone' },
        })
      }
    }
    const key = aHolder()
    await w.refused(RT(w, one, w.WT({ ...agent, signer: key })), { status: 401 })
  },
)

line(
  '[REV-07] stops that cannot be read are not none: not ready, and 503',
  async (w) => {
    const st = await w.ST(w.agent)
    const roles = 'procura_front, procura_pdp, procura_cdp, procura_reaper'
    await w.database.query(`revoke select on procura.stop from ${roles}`)
    try {
      for (const at of EACH) {
        await w.refused(w.CR(w.agent, { st, at }), { status: 503, code: 'unavailable' })
        await w.refused(w.TK(w.agent, { at }), { status: 503, error: 'temporarily_unavailable' })
        await notReady(w, at)
      }
    } finally {
      await w.database.query(`grant select on procura.stop to ${roles}`)
    }
  },
  { isCounted: false },
)

line('[REV-14] no method makes anything active again, and lifting a freeze does not', async (w) => {
  const agent = await w.anAgent()
  const st = await w.ST(agent)
  await w.accepted(FZ(w, { kind: 'agent', id: agent.id }))
  const revocation = memberOf(await w.accepted(RV(w, { kind: 'consent', id: agent.consent })), 'id')
  await w.accepted(FZ(w, { kind: 'agent', id: agent.id }, { state: 'lifted' }))
  for (const path of [`/v1/consents/${agent.consent}`, `/v1/revocations/${revocation}`]) {
    for (const method of ['PUT', 'PATCH', 'POST', 'DELETE']) {
      if (method === 'DELETE' && path.includes('consents')) continue
      const body: JsonObject = { status: 'active' }
      const answer = await w.asBearer(w.PT('lee'), method, path, { body })
      expect([404, 405], `${method} ${path}`).toContain(answer.status)
    }
  }
  const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop: null } as const
  for (const at of EACH) await w.refused(w.CR(agent, { st, at }), refusal)
})
