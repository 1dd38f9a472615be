/** Proofs of possession: for one request, by one key, once. */
import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { aHolder } from '../identity/signing.ts'
import { BODY } from './adaptor.ts'
import { forgeProof } from './forging.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const now = () => Date.now() / 1000
const URL = 'https://broker.example/v1/credentials'

/** The same at both places where a proof is checked: with a session, and where there is none yet. */
const PLACES = [
  {
    ...{ name: 'with a session', path: '/v1/credentials', status: 401, ok: 201 },
    send: (w: World, pf: Pf, at = 0) => w.CR(w.agent, { pf, at }),
  },
  {
    ...{ name: 'at the token endpoint', path: '/oauth/token', status: 400, ok: 200 },
    send: (w: World, pf: Pf, at = 0) => w.TK(w.agent, { pf, at }),
  },
] as const
type Pf = Parameters<World['CR']>[1] extends infer Call
  ? NonNullable<Call> extends { pf?: infer P }
    ? P
    : never
  : never

for (const { name, path, status, ok, send } of PLACES) {
  describe(name, () => {
    const code = 'invalid_dpop_proof'
    const refused = async (w: World, pf: Pf, log: string) => {
      await w.refused(send(w, pf), { status, code, log: `dpop_${log}` })
    }
    const claims = (changed: Record<string, unknown>) => ({ claims: changed })

    line(`[DPP-01] ${name}, there is one proof`, async (w) => {
      await refused(w, null, 'missing')
      const extra = w.PF(w.agent.key, { method: 'POST', path })
      const twice =
        path === '/oauth/token'
          ? w.TK(w.agent, { headers: extra })
          : w.CR(w.agent, { headers: extra })
      await w.refused(twice, { status, code, log: 'dpop_multiple' })
      const [, one = ''] = extra[0] ?? []
      await refused(w, `${one}, ${one}`, 'multiple')
      await refused(w, '', 'format')
    })

    line(`[DPP-04] ${name}, it shows a public key, and no other`, async (w) => {
      const { kid: _, ...jwk } = w.agent.key.jwk
      const { d = '' } = w.agent.key.privateKey.export({ format: 'jwk' })
      w.secret(d)
      await refused(w, { header: { jwk: undefined } }, 'jwk')
      await refused(w, { header: { jwk: { ...jwk, d } } }, 'private_jwk')
      await refused(w, { header: { jwk: { kty: 'oct', k: 'c2VjcmV0' } } }, 'private_jwk')
      await refused(w, { header: { jwk: { kty: 'oct' } } }, 'jwk')
    })

    line(`[DPP-06] ${name}, a key is the same with whatever else is said of it`, async (w) => {
      const { jwk } = w.agent.key
      const more = { ...jwk, kid: 'mine', use: 'sig', alg: 'ES256' }
      await w.accepted(send(w, { header: { jwk: more } }), ok)
    })

    line(`[DPP-07] ${name}, it is signed by the key that it shows`, async (w) => {
      await refused(w, { by: aHolder() }, 'bad_signature')
    })

    line(`[DPP-08] ${name}, it is for this method`, async (w) => {
      for (const htm of ['GET', 'post', 'POST ']) await refused(w, claims({ htm }), 'htm')
      await refused(w, claims({ htm: undefined }), 'claims')
    })

    line(`[DPP-09] ${name}, it is for this address`, async (w) => {
      const { issuer } = w
      const { host } = new globalThis.URL(issuer)
      const inside = `http://127.0.0.1:${String(w.brokers[0].port)}${path}`
      const others = [
        ...[`https://other.example${path}`, `http://${host}${path}`, issuer, `${issuer}/`],
        ...[`${issuer}${path}/`, `${issuer}/./${path.slice(1)}`, `${issuer}/x/..${path}`, inside],
        ...[`https://user@${host}${path}`, `${issuer}:8443${path}`, path, `${issuer}/%2e${path}`],
      ]
      for (const htu of others) await refused(w, claims({ htu }), 'htu')
      await refused(w, claims({ htu: undefined }), 'claims')
    })

    line(`[DPP-10] ${name}, one address may be spelled in several ways`, async (w) => {
      const same = `${w.issuer}${path}`
      const spellings = [`${same}?a=b`, `${same}#c`, `HTTPS://BROKER.EXAMPLE:443${path}`]
      for (const htu of spellings) await w.accepted(send(w, claims({ htu })), ok)
    })

    line(`[DPP-12] ${name}, it is seventy seconds old at most, and ten ahead`, async (w) => {
      const old = () => Math.floor(now()) - 71
      const early = () => Math.ceil(now()) + 11
      for (const iat of [old, early, () => undefined, () => `${now()}`]) {
        await refused(w, claims({ iat: iat() }), 'iat')
      }
      for (const at of [0, 1]) {
        await w.accepted(send(w, claims({ iat: Math.ceil(now()) - 69 }), at), ok)
        await w.accepted(send(w, claims({ iat: Math.floor(now()) + 9 }), at), ok)
      }
    })

    line(`[DPP-18] ${name}, its id is one`, async (w) => {
      for (const jti of [undefined, '', 'short', 'x'.repeat(129), 'a\nb-and-more', 12345678]) {
        await refused(w, claims({ jti }), 'jti')
      }
      await refused(w, claims({ jti: 'x'.repeat(10_240) }), 'too_large')
    })

    line(`[DPP-22] ${name}, it has our nonce; without, it is not used up`, async (w) => {
      for (const nonce of [undefined, randomUUID(), '']) {
        const answer = await w.refused(send(w, claims({ nonce })), {
          ...{ status, code: 'use_dpop_nonce' },
        })
        expect(answer.headers.get('dpop-nonce')).toBe(w.nonce())
      }
      const jti = randomUUID()
      await w.refused(send(w, claims({ jti, nonce: 'other' })), { status, code: 'use_dpop_nonce' })
      await w.accepted(send(w, claims({ jti })), ok)
    })
  })
}

line('[DPP-11] our address is configured, and not what Host says', async (w) => {
  const evil = { claims: { htu: 'https://evil.example/v1/credentials' } }
  for (const name of ['Host', 'X-Forwarded-Host', 'Forwarded']) {
    const value = name === 'Forwarded' ? 'host=evil.example;proto=https' : 'evil.example'
    const headers = [[name, value]] as const
    const answer = w.CR(w.agent, { pf: evil, headers })
    await w.refused(answer, { status: 401, code: 'invalid_dpop_proof', log: 'dpop_htu' })
    await w.accepted(w.CR(w.agent, { headers }))
  }
})

/** A request whose proof is made beforehand, so that it can be sent again to the byte. */
async function captured(w: World, changed: Parameters<typeof forgeProof>[2] = {}) {
  const st = await w.ST(w.agent)
  const body = JSON.stringify(BODY)
  const about = { method: 'POST', url: URL, nonce: w.nonce(), token: st, body }
  const pf = forgeProof(w.agent.key, about, changed)
  return (at = 0, sent: string = body) => w.CR(w.agent, { st, pf, body: sent, at })
}
const REPLAYED = { status: 401, code: 'invalid_dpop_proof', log: 'dpop_replay' } as const

line('[DPP-13] a proof is good once, at one replica and at the other', async (w) => {
  const send = await captured(w)
  await w.accepted(send(0))
  await w.refused(send(0), REPLAYED)
  await w.refused(send(1), REPLAYED)
})

line('[DPP-14] of fifty copies of a proof at once, one is taken', async (w) => {
  const send = await captured(w)
  const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => send(n % 2)))
  const taken = answers.filter(({ status }) => status === 201)
  expect(taken.length).toBe(1)
  for (const answer of answers) if (answer !== taken[0]) await w.refused(answer, REPLAYED)
})

line('[DPP-15] a proof is remembered for as long as it could be shown again', async (w) => {
  const late = await captured(w, { claims: { iat: Math.floor(now()) - 61 } })
  await w.accepted(late(0))
  await w.refused(late(1), REPLAYED)
  const early = Math.floor(now()) + 9
  const first = await captured(w, { claims: { iat: early } })
  await w.accepted(first())
  const [kept] = await w.database.query<{ until: Date }>(
    'select max(expires_at) as until from procura.used_proof',
  )
  expect(Number(kept?.until) / 1000).toBeGreaterThanOrEqual(early + 70)
})

line('[DPP-17] an id that another key has used is not used for this one', async (w) => {
  const jti = randomUUID()
  const thief = await w.anAgent()
  await w.accepted(w.CR(thief, { pf: { claims: { jti } } }))
  await w.accepted(w.CR(w.agent, { pf: { claims: { jti } } }))
  await w.refused(w.CR(w.agent, { pf: { claims: { jti } } }), REPLAYED)
})

line('[DPP-19] a proof is for this session, and for none where there is none', async (w) => {
  const other = await w.ST(await w.anAgent())
  for (const ath of [undefined, '', 'x'.repeat(43), other]) {
    const answer = w.CR(w.agent, { pf: { claims: { ath } } })
    await w.refused(answer, { status: 401, code: 'invalid_dpop_proof', log: 'dpop_ath' })
  }
  const atToken = w.TK(w.agent, { pf: { claims: { ath: 'x'.repeat(43) } } })
  await w.refused(atToken, { status: 400, code: 'invalid_dpop_proof', log: 'dpop_ath' })
})

line('[DPP-20] a session is good with its own key only', async (w) => {
  const st = await w.ST(w.agent)
  const answer = w.CR(w.agent, { st, key: aHolder() })
  await w.refused(answer, { status: 401, code: 'invalid_dpop_proof', log: 'dpop_key_mismatch' })
  await w.accepted(w.CR(w.agent, { st }))
})

line('[DPP-21] a session is no bearer token', async (w) => {
  const st = await w.ST(w.agent)
  const authorization = `Bearer ${st}`
  await w.refused(w.CR(w.agent, { st, authorization, pf: null }), { status: 401 })
  await w.refused(w.CR(w.agent, { st, authorization }), { status: 401 })
  await w.refused(w.asBearer(st, 'GET', '/v1/agents'), { status: 401, code: 'invalid_token' })
  await w.accepted(w.CR(w.agent, { st }))
})

line('[DPP-23] a proof is for these bytes: others with it decide nothing', async (w) => {
  const send = await captured(w)
  const other = JSON.stringify({
    ...BODY,
    arguments: { order_id: 'EU-2026/10231', amount: 901, currency: 'EUR' },
  })
  const refusal = { status: 401, code: 'invalid_dpop_proof', log: 'dpop_body_sha256' } as const
  await w.refused(send(0, other), refusal)
  await w.refused(send(1, ` ${JSON.stringify(BODY)}`), refusal)
  await w.accepted(send(0))
  await w.refused(w.CR(w.agent, { pf: { claims: { body_sha256: undefined } } }), refusal)
  const superfluous = { claims: { body_sha256: 'x'.repeat(43) } }
  await w.refused(w.asAgent(w.agent, 'GET', '/v1/decisions/x', { pf: superfluous }), refusal)
  await w.refused(w.TK(w.agent, { pf: superfluous }), { ...refusal, status: 400 })
})
