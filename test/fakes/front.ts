/** A house behind the front: small, in memory, and as strict about who calls as the real one. */
import { createRunning } from '../../src/http/running.ts'
import { type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync } from 'node:fs'
import { createApp } from '../../src/http/app.ts'
import { createServer } from '../../src/http/create-server.ts'
import type { Front, FrontIdentity } from '../../src/http/front.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import { ProvenPerson, ProvenService, type Role } from '../../src/domain/person.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { Secret } from '../../src/domain/secret.ts'
import { parts } from './front-parts.ts'
import { aConsent, IDS, NOW, DIGEST } from './settled.ts'

export const ISSUER = 'https://broker.example'
const CONTRACT = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')

/** Who there is: `Bearer person-ana` and so on. */
const PEOPLE: Readonly<Record<string, readonly Role[]>> = {
  'person-ana': ['sponsor'],
  'person-omar': ['approver'],
  'person-ute': ['auditor'],
  'person-olga': ['operator'],
  'person-nobody': [],
}

export const HEADERS = {
  agent: { authorization: 'DPoP session-desk', dpop: 'proof' },
  sponsor: { authorization: 'Bearer person-ana' },
  approver: { authorization: 'Bearer person-omar' },
  auditor: { authorization: 'Bearer person-ute' },
  operator: { authorization: 'Bearer person-olga' },
  nobody: { authorization: 'Bearer person-nobody' },
  service: { authorization: 'Bearer service-payments' },
} as const

const identity: FrontIdentity = {
  async authenticate({ authorization, dpop, recognised }) {
    if (authorization !== 'DPoP session-desk') throw new BrokerError('invalid_token')
    if (dpop === 'without nonce') throw new BrokerError('use_dpop_nonce')
    if (dpop !== 'proof') throw new BrokerError('invalid_dpop_proof')
    recognised?.({ kind: 'agent', id: IDS.agent, sponsor: IDS.sponsor })
    const { terms } = aConsent()
    const session = {
      ...{ agent: IDS.agent, instance: IDS.instance, sponsor: IDS.sponsor, consent: IDS.consent },
      authority: { scopes: terms.tools, purpose: terms.purpose, constraints: [] },
      ...{
        delegation: null,
        model: null,
        jti: 'session-1',
        expiresAt: terms.expiresAt,
        tokenHash: DIGEST,
      },
    }
    return Promise.resolve(ProvenInstance.proven(session, 'jkt'))
  },
  actOf(_instance, { requestId, face }) {
    const actor = { kind: 'agent', id: IDS.agent, authentication: 'session_dpop' } as const
    return { requestId, face, actor }
  },
  requestKey: () => null,
  async person({ authorization }) {
    const name = authorization?.replace(/^Bearer /, '') ?? ''
    const roles = PEOPLE[name]
    if (roles === undefined) throw new BrokerError('invalid_token')
    const at = Object.keys(PEOPLE).indexOf(name) + 1
    const id = `${IDS.sponsor.slice(0, -1)}${String(at)}` as typeof IDS.sponsor
    const who = { id, issuer: 'https://id.example', subject: name, display: name, groups: [] }
    return Promise.resolve(ProvenPerson.proven({ ...who, roles }, NOW, DIGEST))
  },
  async service({ authorization, face }, assertion) {
    const token = assertion ?? authorization?.replace(/^Bearer /, '')
    if (token !== 'service-payments') {
      throw new BrokerError(face === 'oauth' ? 'invalid_client' : 'invalid_token')
    }
    return Promise.resolve(ProvenService.proven('payments', 'https://payments.example', DIGEST))
  },
  async client(form, presented) {
    const assertion = form.get('client_assertion') ?? null
    if (assertion === 'desk') {
      const actor = { kind: 'agent', id: IDS.agent, authentication: 'private_key_jwt' } as const
      const { requestId, face } = presented
      return { kind: 'agent', agent: IDS.agent, act: { requestId, face, actor } }
    }
    return { kind: 'service', service: await identity.service(presented, assertion) }
  },
  async openSession(form, { dpop }) {
    if (dpop === null) throw new BrokerError('invalid_dpop_proof')
    if (form.get('client_assertion') !== 'desk') throw new BrokerError('invalid_client')
    const { terms } = aConsent()
    return Promise.resolve({
      ...{ accessToken: new Secret('session-desk'), expiresInSeconds: 600 },
      authority: { scopes: terms.tools, purpose: terms.purpose, constraints: [] },
      ...{ consent: IDS.consent, instance: IDS.instance, delegation: null, root: null },
    })
  },
  currentNonce: () => 'nonce-1',
}

/** Nobody runs into these by chance. */
export const LIMITS: Front['limits'] = {
  ...{ requestsPerSecond: 10_000, callerPerSecond: 10_000, sponsorPerSecond: 10_000 },
  ...{ tenantPerSecond: 10_000, concurrentMax: 100, proxies: [] },
}

export interface FakeFront extends Front {
  /** What was counted, as `face code caller`. */
  readonly refusals: string[]
  readonly lines: object[]
}

export function aFront(changes: Partial<Front> = {}): FakeFront {
  const refusals: string[] = []
  const lines: object[] = []
  return {
    issuer: ISSUER,
    identity,
    ...parts(identity),
    health: { ready: () => Promise.resolve({ failing: null }) },
    metadata: {
      ...{ version: '0.1.0', dpopNonce: 'required', rootSecondsMax: 28_800 },
      securityTxt: () => 'Contact: mailto:security@broker.example\n',
      ledger: { origin: 'broker.example/v1/ledger', vkey: 'broker.example/v1/ledger+0+AA' },
      jwks: {
        ...{ sessions: () => [], roots: () => [], decisions: () => [] },
        ...{ credentials: () => [], evidence: () => [] },
      },
    },
    metrics: () => 'procura_requests_total 0\n',
    meter: { count: () => undefined },
    running: createRunning(),
    log: {
      info: (fields) => lines.push(fields),
      error: (fields) => lines.push(fields),
    },
    refused: (face, code, caller) => refusals.push([face, code, caller ?? '-'].join(' ')),
    limits: LIMITS,
    contract: CONTRACT,
    ...{ refusals, lines },
    ...changes,
  }
}

export interface Listening {
  readonly url: string
  readonly port: number
  readonly server: Server
  readonly close: () => Promise<void>
  readonly call: (method: string, path: string, more?: RequestInit) => Promise<Answer>
}
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
  readonly text: string
}

/** The app on a real socket, for as long as `use` takes. */
export async function serving<T>(front: Front, use: (at: Listening) => Promise<T>): Promise<T> {
  const listening = await listen(front)
  try {
    return await use(listening)
  } finally {
    await listening.close()
  }
}

export async function listen(front: Front): Promise<Listening> {
  const server = createServer(createApp(front), front.issuer, front.limits.proxies)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${String(port)}`
  return {
    ...{ url, port, server },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
    async call(method, path, more = {}) {
      const { status, headers, ...response } = await fetch(url + path, { method, ...more }).then(
        async (it) => ({ status: it.status, headers: it.headers, text: await it.text() }),
      )
      const isJson = /json/.test(headers.get('content-type') ?? '') && response.text !== ''
      const body = (isJson ? JSON.parse(response.text) : {}) as Answer['body']
      return { status, headers, body, text: response.text }
    },
  }
}

export const json = (headers: Readonly<Record<string, string>>, body: unknown): RequestInit => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
