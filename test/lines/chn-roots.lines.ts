/** Chains as they are shown: what they begin with, who answers for them, and how they are written. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { aHolder, compact } from '../identity/signing.ts'
import { memberOf } from './adaptor.ts'
import { aChain, refusedAt, unreadable } from './chain-world.ts'
import { brokerKey, insideOf, seconds } from './forging.ts'
import { line } from './pair.ts'

line('[CHN-18] [CHN-33] a chain begins with a root of ours, and with nothing else', async (w) => {
  const { agent, root, aRoot, forged, hop, DG, TX, subSession, held, leaf } = await aChain(w, 1)
  const worker = await w.anAgent()
  const { header, claims } = insideOf(root.tokens[0] ?? '')
  const sign = (holder = aHolder(), claim: JsonObject = {}, head: JsonObject = {}) =>
    compact({ ...header, ...head }, canonical({ ...claims, ...claim }), holder)
  const under = (token: string) => {
    const placed = { tokens: [token], key: agent.key }
    return hop(placed, worker)
  }
  await w.refused(DG(agent, under(sign())), refusedAt('signature_invalid', 0))
  const sessions = brokerKey(w.home.keysDir, 'sessions')
  const byOther = sign(sessions, {}, { kid: sessions.jwk['kid'] ?? '' })
  await w.refused(DG(agent, under(byOther)), refusedAt('signature_invalid', 0))
  const roots = brokerKey(w.home.keysDir, 'roots')
  await w.refused(
    DG(agent, under(sign(roots, { iss: w.issuer }))),
    refusedAt('signature_invalid', 0),
  )
  await w.refused(
    DG(agent, under(sign(roots, { jti: randomUUID() }))),
    refusedAt('parent_unknown', 0),
  )

  // A session stands in no root's place, nor a root in a session's.
  for (const st of [await w.ST(agent), await subSession(leaf, held)]) {
    const asRoot = `${st}~${root.tokens[0] ?? ''}`
    await w.refused(DG(agent, asRoot), { status: 400, code: 'chain_invalid', outcome: 'malformed' })
  }
  await w.refused(w.CR(agent, { st: root.tokens[0] ?? '' }), { status: 401, code: 'invalid_token' })
  await w.refused(TX(agent, root), { status: 400, code: 'chain_invalid', outcome: 'malformed' })
  const again = await aRoot(agent)
  await w.accepted(DG(agent, forged(again, worker, {})))
})

line('[CHN-19] no key of an issuer, and no credential of ours, makes a hop', async (w) => {
  const { agent, root, forged, DG } = await aChain(w, 0)
  const worker = await w.anAgent()
  for (const by of [w.keys.ci, w.keys.idp, brokerKey(w.home.keysDir, 'credentials')]) {
    await w.refused(DG(agent, forged(root, worker, { by })), {
      ...{ status: 403, code: 'chain_invalid', outcome: 'signature_invalid', hop: 1 },
    })
  }
  const issued = await w.accepted(w.CR(agent, { st: await w.ST(agent) }))
  const { token } = issued.body['credential'] as { token: string }
  await w.refused(DG(agent, [...root.tokens, token].join('~')), unreadable('malformed', 1))
})

line('[CHN-22] whoever answers for it stays the same at every hop', async (w) => {
  const { agent, root, forged, DG } = await aChain(w, 0)
  const [, id = ''] = w.agent.id.split('_')
  const another = { sub: `spn_${id}` }
  const altered = forged(root, await w.anAgent(), { claims: another })
  await w.refused(DG(agent, altered), refusedAt('principal_altered', 1))
})

line(
  '[CHN-23] [CHN-24] what is signed is read in one way only, and known in every word',
  async (w) => {
    const { agent, root, hop, forged, DG } = await aChain(w, 0)
    const worker = await w.anAgent()
    const { claims } = insideOf(hop(root, worker).tokens[1] ?? '')
    const text = canonical(claims)
    const twice = text.replace('{', '{"purpose":"support.refunds",')
    await w.refused(
      DG(agent, forged(root, worker, { claims: twice })),
      unreadable('duplicate_member', 1),
    )
    for (const spelled of [
      text.replace('{', '{ '),
      text.replace('"del_depth":1', '"del_depth":1.0'),
    ]) {
      const other = forged(root, worker, { claims: spelled })
      await w.refused(DG(agent, other), unreadable('non_canonical', 1))
    }
    const turned = JSON.stringify(Object.fromEntries(Object.entries(claims).toReversed()))
    await w.refused(
      DG(agent, forged(root, worker, { claims: turned })),
      unreadable('non_canonical', 1),
    )
    const geo = [{ key: 'args.geo', geo_limit: 'EU' }]
    const detail = { type: 'agent_delegation', scopes: [], constraints: geo }
    const unknown = forged(root, worker, { claims: { authorization_details: [detail] } })
    await w.refused(DG(agent, unknown), unreadable('unknown_constraint', 1))
  },
)

line(
  '[CHN-34] a root comes to those who ask, where hops are allowed, and lives as long as consented',
  async (w) => {
    const { agent } = await aChain(w, 0)
    const plain = await w.accepted(w.TK(agent), 200)
    expect(plain.body).not.toHaveProperty('delegation_root')
    const asked = await w.accepted(w.TK(agent, { form: { delegation_root: 'true' } }), 200)
    expect(asked.body['delegation_root_expires_in']).toBeLessThanOrEqual(3600)
    expect(asked.body['delegation_root_expires_in']).toBeGreaterThan(3500)
    await w.refused(w.TK(agent, { form: { delegation_root: 'yes' } }), {
      status: 400,
      error: 'invalid_request',
    })
    const alone = await w.accepted(w.TK(w.agent, { form: { delegation_root: 'true' } }), 200)
    expect(alone.body).not.toHaveProperty('delegation_root')
    const chain = await aChain(w, 1)
    const form = { delegation_root: 'true' }
    await w.refused(chain.TX(chain.leaf, chain.held, { form }), {
      status: 400,
      error: 'invalid_request',
    })
    const brief = await w.anAgent({ kind: 'oidc', terms: { ...MANY_HOPS } })
    const wt = w.WT(brief, { claims: { exp: seconds() + 30 } })
    const short = await w.accepted(w.TK(brief, { wt, form }), 200)
    expect(short.body['expires_in']).toBeLessThanOrEqual(30)
    expect(short.body['delegation_root_expires_in']).toBeGreaterThan(3500)
  },
)

line(
  '[CHN-13] nine tokens, and more than 64 KiB, are too large before anything is verified',
  async (w) => {
    const { agent, root, DG } = await aChain(w, 0)
    const [token = ''] = root.tokens
    const large = { status: 413, code: 'payload_too_large' }
    await w.refused(DG(agent, Array.from({ length: 9 }, () => token).join('~')), large)
    await w.refused(DG(agent, 'a'.repeat(65 * 1024)), large)
    await w.refused(DG(agent, Array.from({ length: 10_000 }, () => 'a').join('~')), large)
    await w.refused(DG(agent, `~${token}`), unreadable('malformed', 0))
  },
)

line('a hop that was registered is named by its hash, and need not be shown again', async (w) => {
  const { held, agents, hop, DG, TX } = await aChain(w, 2)
  const [agent, first, leaf] = agents
  if (!agent || !first || !leaf) throw new Error('a chain of two hops')
  const [root = '', one = '', two = ''] = held.tokens
  const registered = await w.accepted(DG(agent, `${root}~${one}`))
  const again = await w.accepted(DG(agent, one, { at: 1 }), 200)
  expect(again.body['id']).toBe(registered.body['id'])
  const session = await w.accepted(TX(leaf, two), 200)
  expect(insideOf(memberOf(session, 'access_token')).claims).toMatchObject({
    client_id: leaf.id,
    chain: { depth: 2, delegation_id: session.body['delegation_id'] },
    act: { sub: leaf.id, act: { sub: first.id, act: { sub: agent.id } } },
  })
  const unknown = hop({ tokens: [root, one], key: first.key }, await w.anAgent())
  await w.refused(TX(leaf, `${two}x`), { status: 400, code: 'chain_invalid', outcome: 'malformed' })
  await w.accepted(DG(first, unknown.tokens.at(-1) ?? ''))
})

const MANY_HOPS: JsonObject = {
  ...{ tools: ['payments.refund'], purpose: 'support.refunds', max_hops: 3 },
}

line(
  '[CHN-18] a root falls with its consent, and with the run or the agent that it is for',
  async (w) => {
    const withdrawn = await aChain(w, 1)
    await w.accepted(withdrawn.DG(withdrawn.agent, withdrawn.held))
    const st = await w.ST(withdrawn.agent)
    const consent = `/v1/consents/${withdrawn.agent.consent}`
    await w.accepted(w.asBearer(w.PT('kim'), 'DELETE', consent), 200)
    await w.refused(
      withdrawn.DG(withdrawn.agent, withdrawn.held, { st }),
      refusedAt('revoked', null),
    )
    await w.refused(withdrawn.TX(withdrawn.leaf, withdrawn.held, { at: 1 }), {
      ...{ status: 400, code: 'chain_invalid', outcome: 'revoked', hop: null },
    })

    const retired = await aChain(w, 1)
    await w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/agents/${retired.agent.id}`), 200)
    await w.refused(retired.TX(retired.leaf, retired.held), {
      ...{ status: 400, code: 'chain_invalid', outcome: 'revoked', hop: 0 },
    })
  },
)

line(
  '[CHN-35] sessions are renewed under one root as often as they end, and all end with the consent',
  async (w) => {
    const { agent, held, agents, leaf, TX } = await aChain(w, 2)
    const [first, , last = ''] = held.tokens
    const [, middle] = agents
    if (middle === undefined) throw new Error('a chain of two hops')
    await w.accepted(TX(leaf, held), 200)
    let st = ''
    for (let n = 0; n < 12; n += 1) {
      const renewed = await w.accepted(TX(leaf, last, { at: n % 2 }), 200)
      st = memberOf(renewed, 'access_token')
      await w.accepted(w.CR(leaf, { st, at: (n + 1) % 2 }))
      await w.accepted(w.TK(agent), 200)
    }
    expect(insideOf(first ?? '').claims['exp']).toBeGreaterThan(seconds() + 600)
    await w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/consents/${agent.consent}`), 200)
    for (const at of [0, 1]) {
      await w.refused(w.CR(leaf, { st, at }), refusedAt('revoked', null))
      await w.refused(TX(leaf, last, { at }), {
        ...{ status: 400, code: 'chain_invalid', outcome: 'revoked', hop: null },
      })
    }
  },
)
