/** Whom a token names, for whom it is meant, how long it lives: read as configured, to the byte. */
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { ISSUERS, memberOf, OTHER_CI } from './adaptor.ts'
import {
  agentOf,
  type Face,
  FACES,
  forgedAt,
  isRefused,
  isTaken,
  PERSON,
  SERVICE,
  SESSION,
  WORKLOADS,
} from './faces.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const OWN = WORKLOADS[0] as Face
const OIDC = WORKLOADS[1] as Face
const SVID = WORKLOADS[2] as Face
const now = () => Date.now() / 1000

line(
  '[AUT-06] a key is its issuer’s: another issuer’s of the same name does not fit',
  async (w) => {
    await isRefused(OIDC, w, await forgedAt(OIDC, w, { by: w.keys.otherCi }), {
      log: 'bad_signature',
    })
    const foreign = await forgedAt(OIDC, w, { claims: { iss: OTHER_CI }, by: w.keys.otherCi })
    await isRefused(OIDC, w, foreign, { log: 'no_agent' })
    await isTaken(OIDC, w)
  },
)

line('[AUT-07] an issuer is who is configured, byte for byte, and nobody is asked', async (w) => {
  const canary = createServer().listen(0, '127.0.0.1')
  await once(canary, 'listening')
  let contacted = 0
  canary.on('connection', () => (contacted += 1))
  const { port } = canary.address() as AddressInfo
  for (const [face, ours] of [
    [OIDC, ISSUERS.ci],
    [PERSON, ISSUERS.idp],
  ] as const) {
    const { host } = new URL(ours)
    const almost = [`${ours}/`, `https://${host.toUpperCase()}`, `https://user@${host}`]
    for (const iss of [...almost, `${ours}.evil/`, `http://127.0.0.1:${String(port)}`, null, 7]) {
      await isRefused(face, w, await forgedAt(face, w, { claims: { iss } }), { log: 'iss' })
    }
  }
  for (const iss of ['Payments-Shop', 'payments-shop/', '__proto__']) {
    const claims: JsonObject = { iss, sub: iss }
    await isRefused(SERVICE, w, await forgedAt(SERVICE, w, { claims }))
  }
  expect(contacted).toBe(0)
  canary.close()
})

line(
  '[AUT-08] a SPIFFE ID is read in full: nothing that looks like one is taken for it',
  async (w) => {
    const { subject } = await agentOf(w, 'spiffe')
    const almost = [
      ...[`spiffe://example.org.evil/${subject}`, `spiffe://EXAMPLE.org/${subject}`],
      ...[`spiffe://example.org/a/../${subject}`, `spiffe://example.org//${subject}`],
      ...[`spiffe://example.org/%72${subject.slice(1)}`, `spiffe://example.org/${subject}/`],
      ...[`spiffe://example.org:443/${subject}`, `SPIFFE://example.org/${subject}`, '', 'run'],
    ]
    const refused = async (id: string, log: string) => {
      const claims: JsonObject = { sub: id }
      await isRefused(SVID, w, await forgedAt(SVID, w, { claims }), { log })
    }
    for (const id of almost) await refused(id, 'bad_spiffe_id')
    await refused(`spiffe://example.org/${subject}x`, 'no_agent')
    await isTaken(SVID, w)
  },
)

for (const face of FACES) {
  describe(face.name, () => {
    line('[AUT-09] is meant for us', async (w) => {
      const { issuer } = w
      const wrong = [
        undefined,
        [],
        'https://other.example',
        `${issuer}.evil`,
        `${issuer}/`,
        null,
        7,
      ]
      for (const aud of wrong) {
        await isRefused(face, w, await forgedAt(face, w, { claims: { aud } }), { log: 'aud' })
      }
      const several = await forgedAt(face, w, {
        claims: { aud: [issuer, 'https://other.example'] },
      })
      if (face === PERSON) await w.accepted(face.present(w, several), face.status)
      else await isRefused(face, w, several, { log: 'aud' })
    })

    line('[AUT-10] says when it ends', async (w) => {
      for (const exp of [undefined, String(now() + 60), null]) {
        await isRefused(face, w, await forgedAt(face, w, { claims: { exp } }), { log: 'exp' })
      }
    })
  })
}

line('[AUT-10] an assertion under an own key lives five minutes at most', async (w) => {
  const lasting = (life: number) => {
    const iat = Math.floor(now())
    return forgedAt(OWN, w, { claims: { iat, exp: iat + life } })
  }
  await isRefused(OWN, w, await lasting(301), { log: 'exp' })
  await w.accepted(OWN.present(w, await lasting(300)), OWN.status)
  const iat = Math.floor(now())
  const service = await forgedAt(SERVICE, w, { claims: { iat, exp: iat + 61 } })
  await isRefused(SERVICE, w, service, { log: 'exp' })
})

for (const face of [...WORKLOADS, PERSON, SERVICE]) {
  line(`[AUT-11] ${face.name} is taken within ten seconds of its times, not later`, async (w) => {
    const ended = async (exp: number) => forgedAt(face, w, { claims: { iat: exp - 50, exp } })
    const from = async (name: string, at: number) =>
      forgedAt(face, w, { claims: { [name]: at, exp: at + 50 } })
    for (const at of [0, 1]) {
      await isRefused(face, w, await ended(Math.floor(now()) - 11), { log: 'exp', at })
      await w.accepted(face.present(w, await ended(Math.ceil(now()) - 9), at), face.status)
      for (const name of ['nbf', 'iat']) {
        await isRefused(face, w, await from(name, Math.ceil(now()) + 11), { log: name, at })
        const inside = await from(name, Math.floor(now()) + 9)
        await w.accepted(face.present(w, inside, at), face.status)
      }
    }
  })
}

line('[AUT-11] a session of ours is over when it says so, without any allowance', async (w) => {
  const ending = async (exp: number) => forgedAt(SESSION, w, { claims: { iat: exp - 60, exp } })
  for (const at of [0, 1]) {
    await isRefused(SESSION, w, await ending(Math.floor(now())), { log: 'expired', at })
    await w.accepted(SESSION.present(w, await ending(Math.ceil(now()) + 2), at), SESSION.status)
  }
})

line('[AUT-15] each signed thing is good in its own place and nowhere else', async (w) => {
  const [, proof = ''] = w.PF(w.agent.key, { method: 'POST', path: '/v1/credentials' })[0] ?? []
  const minted = await w.accepted(w.CR(w.agent))
  const evidence = await w.asBearer(w.PT('kim'), 'GET', `/v1/consents/${w.agent.consent}`)
  const things: [string, () => Promise<string>, readonly Face[]][] = [
    ['a proof', () => Promise.resolve(proof), []],
    ['a credential', () => Promise.resolve(tokenIn(minted.body['credential'])), []],
    ['consent evidence', () => Promise.resolve(memberOf(evidence, 'consent_jwt')), []],
    ...FACES.map((face): [string, () => Promise<string>, readonly Face[]] => {
      const own = WORKLOADS.includes(face) ? WORKLOADS : [face]
      return [face.name, () => forgedAt(face, w), own]
    }),
  ]
  for (const [name, made, places] of things) {
    for (const face of FACES.filter((it) => !places.includes(it))) {
      const answer = await face.present(w, await made())
      expect({ name, at: face.name, status: answer.status }).toEqual({
        ...{ name, at: face.name, status: 401 },
      })
    }
  }
  for (const face of FACES) {
    const typ = face === SESSION ? 'consent+jwt' : 'dpop+jwt'
    await isRefused(face, w, await forgedAt(face, w, { header: { typ } }), { log: 'wrong_type' })
  }
})

const tokenIn = (credential: unknown) => (credential as { token: string }).token

line('[AUT-20] a credential is read from one place', async (w) => {
  const st = await w.ST(w.agent)
  const other = w.CR(w.agent, { st, headers: [['authorization', `DPoP ${st}`]] })
  await w.refused(other, { status: 401, code: 'invalid_token', log: 'authorization_multiple' })
  const pt = w.PT('kim')
  const twice = w.asBearer(pt, 'GET', '/v1/agents', {
    headers: [['Authorization', `Bearer ${pt}`]],
  })
  await w.refused(twice, { status: 401, code: 'invalid_token' })
  const inAddress = w.asAgent(w.agent, 'GET', `/v1/decisions/x?access_token=${st}`, { st })
  await w.refused(inAddress, { status: [400, 401] })
  const inBody = w.asForm('/v1/credentials', { access_token: st })
  await w.refused(inBody, { status: [401, 415] })
})

line('[AUT-21] who calls is not read from a header that anybody can send', async (w) => {
  const headers = [
    ...(['X-Forwarded-User', 'X-Spiffe-Id', 'X-Remote-User', 'Forwarded'] as const).map(
      (name) => [name, 'spiffe://example.org/admin'] as const,
    ),
    ['X-Forwarded-Client-Cert', 'URI=spiffe://example.org/admin'] as const,
  ]
  const asked = { body: { tool: 'payments.refund' }, authorization: null, pf: null, headers }
  await w.refused(w.CR(w.agent, asked), { status: 401, code: 'invalid_token' })
  await w.refused(w.send({ method: 'GET', path: '/v1/agents', headers }), { status: 401 })
  const answer = await w.accepted(w.CR(w.agent, { headers }))
  const leaf = await lastDecision(w)
  expect(leaf).toContain(`"${w.agent.id}"`)
  expect(leaf).toContain(`"${memberOf(answer, 'decision_id')}"`)
  expect(leaf).not.toContain('admin')
})

async function lastDecision(w: World): Promise<string> {
  const [row] = await w.database.query<{ entry: string }>(
    `select entry from ledger.leaf where event_type = 'decision' order by index desc limit 1`,
  )
  return row?.entry ?? ''
}
