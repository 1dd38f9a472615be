/** RFC 8693 as this broker has it: subject, actor and key belong to one context, or there is no token. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import { aHolder } from '../identity/signing.ts'
import { type Agent, memberOf } from './adaptor.ts'
import { chainsOf, type Held } from './chains.ts'
import { insideOf, seconds } from './forging.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const no = (outcome: string) =>
  ({ status: 400, error: 'invalid_request', code: 'chain_invalid', outcome }) as const
const plain = { status: 400, error: 'invalid_request' } as const

async function aHanded(w: World) {
  const chains = chainsOf(w)
  const { agent, root } = await chains.aDelegator()
  const worker = await w.anAgent()
  const held = chains.hop(root, worker)
  return { ...chains, agent, root, worker, held }
}

line('[TOK-01] a chain that ends with B opens nothing for C, whichever key C shows', async (w) => {
  const { worker, held, TX } = await aHanded(w)
  const other = await w.anAgent()
  await w.refused(TX(other, held), no('holder_binding_failed'))
  await w.refused(TX(other, held, { key: worker.key }), no('holder_binding_failed'))
  await w.accepted(TX(worker, held), 200)
})

line('[TOK-02] a chain and an actor that never met make no token', async (w) => {
  const { worker, held, TX } = await aHanded(w)
  const other = await w.anAgent()
  const acting = (token: string) => ({ form: { actor_token: token, actor_token_type: JWT } })
  await w.refused(TX(worker, held, acting(w.WT(other))), {
    ...no('holder_binding_failed'),
    hop: 1,
  })
  await w.refused(TX(worker, held, acting(await w.ST(worker))), no('holder_binding_failed'))
  await w.accepted(TX(worker, held, acting(w.WT(worker))), 200)
})

line('an exchange without its parts, or with parts it does not know, is no exchange', async (w) => {
  const { worker, held, TX } = await aHanded(w)
  for (const form of [
    { subject_token: undefined },
    { subject_token_type: undefined },
    { subject_token_type: JWT },
    { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
    { actor_token: w.WT(worker) },
    { actor_token_type: JWT },
    { delegation_root: 'true' },
    { consent_id: worker.consent },
  ]) {
    await w.refused(TX(worker, held, { form }), plain)
  }
  const audience = { form: { audience: 'https://payments.example' } }
  await w.refused(TX(worker, held, audience), { status: 400, error: 'invalid_target' })
  await w.accepted(TX(worker, held, { form: { audience: w.issuer, resource: w.issuer } }), 200)
})

line('a hop of one chain is not believed in another, one’s own hop is not skipped', async (w) => {
  const one = await aHanded(w)
  const other = await aHanded(w)
  const { TX } = one
  const [, mine = ''] = one.held.tokens
  const [foreign = ''] = other.root.tokens
  await w.refused(TX(one.worker, [foreign, mine].join('~')), no('signature_invalid'))
  await w.refused(
    TX(one.worker, `${one.held.tokens.join('~')}~${other.held.tokens.join('~')}`),
    no('malformed'),
  )
  const leaf = await w.anAgent()
  const below = one.hop(one.held, leaf)
  const [root = '', , last = ''] = below.tokens
  await w.refused(TX(leaf, [root, last].join('~')), no('signature_invalid'))
  await w.accepted(TX(leaf, below), 200)
})

line('a parent cannot use what it handed on, nor a child what its parent holds', async (w) => {
  const { agent, worker, root, held, TX } = await aHanded(w)
  await w.refused(TX(agent, held), no('holder_binding_failed'))
  await w.refused(TX(worker, root), no('malformed'))
  const leaf = await w.anAgent()
  const below: Held = chainsOf(w).hop(held, leaf)
  await w.refused(TX(worker, below), no('holder_binding_failed'))
  await w.refused(TX(leaf, held), no('holder_binding_failed'))
})

line(
  '[TOK-06] a session ends with what it rests on: hop, consent, or the token that was shown',
  async (w) => {
    const { root, hop, TX, worker } = await aHanded(w)
    const expiry = async (held: Held, agent: Agent, wt?: string) => {
      const opened = await w.accepted(TX(agent, held, wt === undefined ? {} : { wt }), 200)
      return Number(insideOf(memberOf(opened, 'access_token')).claims['exp'])
    }
    const end = seconds() + 30
    expect(await expiry(hop(root, worker, { exp: end }), worker)).toBeLessThanOrEqual(end)
    const shown = await w.anAgent({ kind: 'oidc' })
    const wt = w.WT(shown, { claims: { exp: end } })
    expect(await expiry(hop(root, shown), shown, wt)).toBeLessThanOrEqual(end)
    expect(await expiry(hop(root, worker), worker)).toBeGreaterThan(end + 60)
  },
)

line('whose agent it may be, the consent says', async (w) => {
  const { aDelegator, hop, DG, TX } = chainsOf(w)
  const mine = await w.anAgent()
  const { agent, root } = await aDelegator({ delegates: [mine.id] })
  const sibling = await w.anAgent()
  const stranger = { ...sibling, id: `agt_${'0'.repeat(26)}` }
  const refused = { status: 403, code: 'chain_invalid', outcome: 'delegate_not_allowed', hop: 1 }
  await w.refused(DG(agent, hop(root, sibling)), refused)
  await w.refused(DG(agent, hop(root, stranger)), refused)
  await w.refused(TX(sibling, hop(root, sibling)), no('delegate_not_allowed'))
  await w.accepted(DG(agent, hop(root, mine)))
})

line('a hop is put on record by the run that signed it, and by nobody else', async (w) => {
  const { agent, worker, root, held, DG, hop } = await aHanded(w)
  const foreign = { ...(await w.anAgent()) }
  await w.refused(DG(foreign, held), {
    ...{ status: 403, code: 'chain_invalid', outcome: 'holder_binding_failed', hop: 1 },
  })
  const first = await w.accepted(DG(agent, held))
  const key = `k-${randomUUID()}`
  const headers = [['Idempotency-Key', key]] as const
  const more = hop(root, worker)
  const made = await w.accepted(DG(agent, more, { headers }))
  const again = await w.accepted(DG(agent, more, { headers, at: 1 }), 201)
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  expect(again.body['id']).toBe(made.body['id'])
  const fresh = [['Idempotency-Key', `k-${randomUUID()}`]] as const
  for (const call of [{}, { headers: fresh }]) {
    const known = await w.accepted(DG(agent, more, call), 200)
    expect(known.headers.has('idempotency-replayed')).toBe(false)
    expect(known.body['id']).toBe(made.body['id'])
  }
  const replayed = await w.accepted(DG(agent, more, { headers: fresh }), 200)
  expect(replayed.headers.get('idempotency-replayed')).toBe('true')
  expect(first.body['id']).not.toBe(made.body['id'])
  await w.refused(DG(agent, held, { headers }), { status: 422, code: 'idempotency_mismatch' })
})

line('those on its chain see a hop and what is left of it; to others there is none', async (w) => {
  const { agent, worker, held, DG } = await aHanded(w)
  const registered = await w.accepted(DG(agent, held))
  const path = `/v1/delegations/${memberOf(registered, 'id')}`
  const own = await w.accepted(w.asAgent(agent, 'GET', path), 200)
  expect(own.body).toMatchObject({
    status: 'active',
    budgets: [{ account: agent.consent, used: 0 }],
  })
  const st = await chainsOf(w).subSession(worker, held)
  await w.accepted(w.asAgent(worker, 'GET', path, { st }), 200)
  const listed = await w.accepted(w.asAgent(worker, 'GET', '/v1/delegations', { st }), 200)
  expect(listed.body['items']).toMatchObject([{ id: registered.body['id'] }])
  const stranger = await w.anAgent()
  await w.refused(w.asAgent(stranger, 'GET', path), { status: 404, code: 'not_found' })
  await w.refused(w.asAgent({ ...stranger, key: aHolder() }, 'GET', path), { status: 404 })
})

line(
  'a key is one run’s: nobody is handed anything in the name of another agent with it',
  async (w) => {
    const { agent, root, hop, DG, TX, worker } = await aHanded(w)
    const run = await w.anAgent()
    await w.ST(run)
    const disguised = hop(root, worker, { to: run.key })
    const refused = { code: 'chain_invalid', outcome: 'holder_binding_failed', hop: 1 }
    await w.refused(DG(agent, disguised), { status: 403, ...refused })
    const below = await w.anAgent()
    await w.refused(TX(below, hop(disguised, below)), { status: 400, ...refused })
    await w.accepted(DG(agent, hop(root, run)))
  },
)
