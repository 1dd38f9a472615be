/** Stopping on a chain that was signed, registered and exchanged for sessions: with everything warm. */
import { expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { memberOf } from './adaptor.ts'
import { chainsOf } from './chains.ts'
import { insideOf } from './forging.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { RV, tokenIn, whileFrozen } from './stopping.ts'

/** desk ─ root ─ one ─ two, each with a session that was just used on both replicas. */
async function aChain(w: World) {
  const chains = chainsOf(w)
  const { agent: desk, root } = await chains.aDelegator()
  const [one, two] = [await w.anAgent(), await w.anAgent()]
  const first = chains.hop(root, one)
  const second = chains.hop(first, two)
  const sessions = {
    desk: await w.ST(desk),
    one: await chains.subSession(one, first),
    two: await chains.subSession(two, second),
  }
  const agents = { desk, one, two }
  for (const name of NAMES) {
    for (const at of [0, 1]) await w.accepted(w.CR(agents[name], { st: sessions[name], at }))
  }
  const idOf = (st: string) => (insideOf(st).claims['chain'] as JsonObject)['delegation_id'] ?? ''
  const ids = { one: idOf(sessions.one), two: idOf(sessions.two) }
  return { ...{ chains, root, first, second, agents, sessions, ids } }
}
const NAMES = ['desk', 'one', 'two'] as const
type Chained = Awaited<ReturnType<typeof aChain>>

/** Those in `gone` are refused for what happened at `hop`, on both replicas; the others are not. */
async function check(
  w: World,
  { agents, sessions }: Chained,
  gone: readonly string[],
  hop: number,
) {
  const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop } as const
  for (const name of NAMES) {
    for (const at of [0, 1]) {
      const answer = w.CR(agents[name], { st: sessions[name], at })
      await (gone.includes(name) ? w.refused(answer, refusal) : w.accepted(answer))
    }
  }
}

line(
  '[CHN-27] a hop that was verified, and used a moment ago, is over when it is revoked',
  async (w) => {
    const chain = await aChain(w)
    await w.accepted(RV(w, { kind: 'delegation', id: chain.ids.two }))
    await check(w, chain, ['two'], 2)
    const again = await chain.chains.TX(chain.agents.two, chain.second)
    await w.refused(again, { status: 400, code: 'chain_invalid', outcome: 'revoked', hop: 2 })
    await w.accepted(RV(w, { kind: 'delegation', id: chain.ids.one }))
    await check(w, { ...chain, sessions: { ...chain.sessions } }, ['one', 'two'], 1)
  },
)

line('[CHN-27] so is one whose root its agent revokes, with every credential below', async (w) => {
  const chain = await aChain(w)
  const { desk, two } = chain.agents
  const minted = tokenIn(await w.accepted(w.CR(two, { st: chain.sessions.two })))
  const [root = ''] = chain.root.tokens
  const form = { client_assertion: w.WT(two), token: root }
  const type = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' }
  await w.accepted(w.asForm('/oauth/revoke', { ...type, ...form }), 200) // Not theirs.
  await check(w, chain, [], 0)
  const own = { ...form, client_assertion: w.WT(desk) }
  await w.accepted(w.asForm('/oauth/revoke', { ...type, ...own }), 200)
  await check(w, chain, ['one', 'two'], 0)
  for (const at of [0, 1]) expect((await w.IN(minted, { at })).body).toEqual({ active: false })
})

line('[CHN-27] and one through a run, or an agent, that was stopped in between', async (w) => {
  for (const kind of ['instance', 'agent'] as const) {
    const chain = await aChain(w)
    const { one } = chain.agents
    const instance = insideOf(chain.sessions.one).claims['instance_id'] ?? ''
    await w.accepted(RV(w, { kind, id: kind === 'agent' ? one.id : instance }))
    await check(w, chain, ['one', 'two'], 1)
  }
})

line(
  '[CHN-27] and one through a run that was unknown when what is below it was used',
  async (w) => {
    const chains = chainsOf(w)
    const { root } = await chains.aDelegator()
    const [one, two] = [await w.anAgent(), await w.anAgent()]
    const first = chains.hop(root, one)
    const st = await chains.subSession(two, chains.hop(first, two))
    for (const at of [0, 1]) await w.accepted(w.CR(two, { st, at }))
    // Only now does it show itself, with the key that the hop was handed on with.
    const claims = insideOf(await chains.subSession(one, first)).claims
    for (const at of [0, 1]) await w.accepted(w.CR(two, { st, at }))
    await w.accepted(RV(w, { kind: 'instance', id: claims['instance_id'] ?? '' }))
    const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop: 1 } as const
    for (const at of [0, 1]) await w.refused(w.CR(two, { st, at }), refusal)
  },
)

line('what is frozen is handed on to nobody: no root, no hop, no session of it', async (w) => {
  const chain = await aChain(w)
  const { chains, agents, sessions } = chain
  const { desk, one } = agents
  const further = chains.hop(chain.root, one)
  await whileFrozen(w, { kind: 'agent', id: desk.id }, async () => {
    const frozen = { status: 403, code: 'frozen' } as const
    for (const name of NAMES) await w.refused(w.CR(agents[name], { st: sessions[name] }), frozen)
    await w.refused(chains.DG(desk, further, { st: sessions.desk }), frozen)
    const asked = w.TK(desk, { form: { delegation_root: 'true' } })
    await w.refused(asked, { status: 403, error: 'access_denied', code: 'frozen' })
  })
  await w.accepted(chains.DG(desk, further, { st: sessions.desk }))
  await check(w, chain, [], 0)
})

line(
  'a session that was stopped alone registers nothing, and counts as one that was alive',
  async (w) => {
    const chain = await aChain(w)
    const { desk, one } = chain.agents
    const { st } = { st: chain.sessions.desk }
    const form = {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      ...{ client_assertion: w.WT(desk), token: st },
    }
    await w.accepted(w.asForm('/oauth/revoke', form), 200)
    const further = chain.chains.hop(chain.root, one)
    const refusal = { status: 403, code: 'chain_invalid', outcome: 'revoked', hop: 0 } as const
    await w.refused(chain.chains.DG(desk, further, { st }), refusal)
    await w.accepted(w.CR(chain.agents.two, { st: chain.sessions.two }))

    const reach = await w.accepted(
      RV(w, { kind: 'consent', id: desk.consent }, { query: '?dry_run=true' }),
      200,
    )
    // Two of desk (the root came with one), of which one was stopped; one each of the others.
    expect(reach.body['revoked']).toMatchObject({ sessions: 3, roots: 1, delegations: 2 })
    const [row] = await w.database.query<{ kind: string }>(
      `select target_kind as kind from procura.revocation order by at desc limit 1`,
    )
    expect(row?.kind).toBe('session')
    expect(memberOf(await w.TK(desk), 'token_type')).toBe('DPoP')
  },
)
