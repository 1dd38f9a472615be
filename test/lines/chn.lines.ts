/** Chains as they are shown: every hop signed by its holder, and narrower than the last. */
import { describe, expect } from 'vitest'
import { sha256 } from '../../src/domain/digest.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { aHolder, compact } from '../identity/signing.ts'
import { aChain, AMOUNT, refund, refusedAt, unreadable } from './chain-world.ts'
import { insideOf, seconds } from './forging.ts'
import { line } from './pair.ts'

line('[CHN-01] one bit changed in any part of any hop is found, and named', async (w) => {
  const { held, signer, DG } = await aChain(w, 5)
  for (const [at, token] of held.tokens.entries()) {
    for (const [part, text] of token.split('.').entries()) {
      const turned = Buffer.from(text, 'base64url')
      const place = Math.floor(turned.length / 2)
      turned[place] = (turned[place] ?? 0) ^ 1
      const parts = token.split('.')
      parts[part] = turned.toString('base64url')
      const tokens = held.tokens.with(at, parts.join('.'))
      const answer = await DG(signer, tokens.join('~'))
      expect([400, 403], answer.text).toContain(answer.status)
      expect(answer.body, `${String(part)} of ${String(at)}`).toMatchObject({
        code: 'chain_invalid',
      })
      // A changed payload is another parent to the next hop; the signature over it fails first.
      expect(answer.body['hop'], answer.text).toBe(at)
    }
  }
  await w.accepted(DG(signer, held))
})

line('[CHN-02] hops that are swapped, or left out in the middle, do not fit', async (w) => {
  const { held, signer, DG } = await aChain(w, 3)
  const [root = '', one = '', two = '', three = ''] = held.tokens
  await w.refused(DG(signer, [root, two, one, three].join('~')), {
    ...{ status: 403, code: 'chain_invalid', outcome: 'signature_invalid', hop: 1 },
  })
  await w.refused(DG(signer, [root, two, three].join('~')), refusedAt('signature_invalid', 1))
})

line(
  '[CHN-03] a hop does not fit on another root, though keys and agents are the same',
  async (w) => {
    const { agent, root, aRoot, hop, forged, DG } = await aChain(w, 0)
    const worker = await w.anAgent()
    const again = await aRoot(agent)
    const [, child = ''] = hop(root, worker).tokens
    await w.refused(
      DG(agent, [...again.tokens, child].join('~')),
      refusedAt('par_hash_mismatch', 1),
    )
    const strange = forged(root, worker, { claims: { par_hash: 'A'.repeat(43) } })
    await w.refused(DG(agent, strange), refusedAt('par_hash_mismatch', 1))
  },
)

describe('a hop is never wider', () => {
  const details = (change: JsonObject) => [
    { type: 'agent_delegation', scopes: ['payments.refund'], constraints: [], ...change },
  ]
  const wide: readonly (readonly [string, JsonObject, string])[] = [
    ['a scope', { authorization_details: details({ scopes: ['sql.query'] }) }, 'scopes[0]'],
    ['a wildcard', { authorization_details: details({ scopes: ['payments.*'] }) }, 'scopes[0]'],
    [
      'a bound',
      { authorization_details: details({ constraints: [{ key: AMOUNT, max: 10_001 }] }) },
      `constraints[${AMOUNT},max]`,
    ],
    [
      'a total',
      { authorization_details: details({ constraints: [{ key: 'calls', max_subtree: 1001 }] }) },
      'constraints[calls,max_subtree]',
    ],
    ['the depth', { del_max_depth: 9 }, 'del_max_depth'],
    ['the purpose', { purpose: 'support' }, 'purpose'],
  ]
  for (const [what, claims, field] of wide) {
    line(`[CHN-04] not in ${what}`, async (w) => {
      const { agent, root, forged, DG } = await aChain(w, 0, { max_hops: 6 })
      const answer = await DG(agent, forged(root, await w.anAgent(), { claims }))
      if (field === 'del_max_depth') {
        await w.refused(answer, { status: [400, 403], code: 'chain_invalid', hop: 1 })
      } else await w.refused(answer, { ...refusedAt('not_narrower', 1), field })
    })
  }

  line('[CHN-04] nor in its time, and it is bound to a key', async (w) => {
    const { agent, root, forged, DG } = await aChain(w, 0)
    const worker = await w.anAgent()
    const { claims } = insideOf(root.tokens[0] ?? '')
    const later = forged(root, worker, { claims: { exp: Number(claims['exp']) + 1 } })
    await w.refused(DG(agent, later), refusedAt('expired', 1))
    const unbound = forged(root, worker, { claims: { cnf: undefined } })
    await w.refused(DG(agent, unbound), unreadable('malformed', 1))
  })
})

line('[CHN-05] a bound that a hop leaves out is inherited, and never lifted', async (w) => {
  const bounded = { constraints: [{ key: AMOUNT, max: 100 }] }
  const { held, leaf, subSession, forged, root } = await aChain(w, 1, bounded)
  const silent = forged(root, leaf, {
    claims: {
      authorization_details: [
        { type: 'agent_delegation', scopes: ['payments.refund'], constraints: [] },
      ],
    },
  })
  for (const chain of [held, silent]) {
    const st = await subSession(leaf, chain)
    await w.accepted(w.CR(leaf, { st, body: refund(100) }))
    await w.refused(w.CR(leaf, { st, body: refund(101), at: 1 }), {
      ...{ status: 403, code: 'outside_authority', outcome: 'ceiling_exceeded' },
    })
  }
})

line('[CHN-06] [CHN-07] [CHN-09] [CHN-10] scopes are covered by name, or not at all', async (w) => {
  const { agent, root, forged, hop, DG, subSession } = await aChain(w, 0)
  const worker = await w.anAgent()
  const scoped = (...scopes: string[]) =>
    forged(root, worker, {
      claims: { authorization_details: [{ type: 'agent_delegation', scopes, constraints: [] }] },
    })
  const nothing = scoped()
  await w.accepted(DG(agent, nothing))
  const st = await subSession(worker, nothing)
  await w.refused(w.CR(worker, { st }), {
    ...{ status: 403, code: 'outside_authority', outcome: 'scope_not_granted' },
  })
  const malformed = ['*', 'payments.re*', 'payments.*.refund', 'Payments.refund', 'payments.REFUND']
  for (const scope of [
    ...malformed,
    'p\u0430yments.refund',
    'payments.refund\u200b',
    'ｐay.refund',
  ]) {
    await w.refused(DG(agent, scoped(scope)), unreadable('malformed', 1))
  }
  await w.refused(DG(agent, scoped('payments.*')), refusedAt('not_narrower', 1))
  await w.accepted(DG(agent, hop(root, worker)))
})

line('[CHN-13] times are numbers, and no token outlives the one above', async (w) => {
  const { agent, root, hop, forged, DG } = await aChain(w, 0)
  const worker = await w.anAgent()
  const text = forged(root, worker, { claims: { exp: String(seconds() + 60) } })
  await w.refused(DG(agent, text), unreadable('malformed', 1))
  const over = forged(root, worker, { claims: { iat: seconds() - 60, exp: seconds() - 1 } })
  const under = forged(over, await w.anAgent(), {})
  await w.refused(DG(worker, under), refusedAt('expired', 1))
  const soon = forged(root, worker, { claims: { nbf: seconds() + 60 } })
  await w.refused(DG(agent, soon), refusedAt('expired', 1))
  await w.accepted(DG(agent, hop(root, worker)))
})

line(
  '[CHN-15] [CHN-20] a chain has as many hops as were consented, and no leaf hands on',
  async (w) => {
    const { held, signer, leaf, hop, DG } = await aChain(w, 2, { max_hops: 2 })
    await w.accepted(DG(signer, held))
    const more = await w.anAgent()
    expect(() => hop(held, more)).toThrow('depth_invalid')
    const { header, claims } = insideOf(held.tokens[2] ?? '')
    const { kid: _, ...jwk } = leaf.key.jwk
    const deeper = compact(
      canonical({ ...header, jwk }),
      canonical({
        ...{ ...claims, iss: `urn:ietf:params:oauth:jwk-thumbprint:sha-256:${leaf.key.jkt}` },
        ...{ client_id: more.id, cnf: { jkt: more.key.jkt }, del_depth: 3 },
        par_hash: sha256((held.tokens[2] ?? '').split('.').slice(0, 2).join('.')),
      }),
      leaf.key,
    )
    await w.refused(DG(leaf, [...held.tokens, deeper].join('~')), refusedAt('depth_invalid', 3))
  },
  { timeout: 60_000 },
)

line('[CHN-16] nobody hands anything to a key that has it already', async (w) => {
  const { agent, held, leaf, hop, root, DG } = await aChain(w, 1)
  const back = hop(held, { ...agent, key: agent.key })
  await w.refused(DG(leaf, back), refusedAt('holder_repeated', 2))
  await w.refused(DG(agent, hop(root, agent)), refusedAt('holder_repeated', 1))
})

line('[CHN-17] a chain is for the agent and the key that it ends with', async (w) => {
  const { held, leaf, root, hop, TX } = await aChain(w, 1)
  const stranger = await w.anAgent()
  const no = { ...refusedAt('holder_binding_failed', 1), status: 400, error: 'invalid_request' }
  await w.refused(TX(stranger, held), no)
  await w.refused(TX({ ...stranger, key: leaf.key }, held), no)
  await w.refused(TX({ ...leaf, key: aHolder() }, held), no)
  await w.refused(TX(leaf, hop(root, leaf, { to: aHolder() })), no)
  await w.accepted(TX(leaf, held), 200)
})
