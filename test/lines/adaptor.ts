/**
 * The symbols that the lines are written in → real calls. A call takes what a valid one would, and
 * whatever a line wants changed in it; nothing here judges an answer.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { PEOPLE, type PersonName } from '../../src/cli/dev/issuer.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { aHolder, type Holder } from '../identity/signing.ts'
import { inOneHour, REFUND, REFUNDING } from '../scenario/house.ts'
import { forge, type Forged, forgeProof, headerBy, seconds } from './forging.ts'
import type { Answer, HeaderLine, Sending } from './wire.ts'

/** Whom the brokers of a line believe, with the keys that only they have. */
export interface Keys {
  /** Issues people's tokens. */
  readonly idp: Holder
  /** Two issuers of workload tokens, whose keys have one name. */
  readonly ci: Holder
  readonly otherCi: Holder
  readonly spire: Holder
  /** Two services: the first is whom refunds are minted for. */
  readonly shop: Holder
  readonly otherShop: Holder
}
export const ISSUERS = { idp: 'https://idp.example', ci: 'https://ci.example' } as const
export const OTHER_CI = 'https://ci-b.example'
export const TRUST_DOMAIN = 'example.org'
export const SHOP = 'payments-shop'
export const OTHER_SHOP = 'other-shop'
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:'

export type Kind = 'own' | 'oidc' | 'spiffe'
export interface Agent {
  readonly id: string
  readonly kind: Kind
  /** Its workload's name at its issuer; for `own` its id. */
  readonly subject: string
  /** What signs its assertions. */
  readonly signer: Holder
  /** The key of this run. */
  readonly key: Holder
  readonly consent: string
  readonly sponsor: PersonName
}

/** A replica, and what goes beside the call itself. */
export interface At {
  readonly at?: number
  readonly headers?: readonly HeaderLine[]
}
/** `pf`: what to change in the proof, another one, or `null` for none. */
export interface Proven extends At {
  readonly pf?: Forged | string | null
  /** Signs the proof, if it is not the agent's key. */
  readonly key?: Holder
}
export interface AgentCall extends Proven {
  /** Fresh if left out. */
  readonly st?: string
  /** Taken as it is if it is text. */
  readonly body?: JsonObject | string
  /** The whole header; `null` for none. */
  readonly authorization?: string | null
}
export interface TokenCall extends Proven {
  readonly wt?: string
  /** Parameters instead of, or besides, the valid ones; `undefined` takes one away. */
  readonly form?: Readonly<Record<string, string | undefined>>
}
export interface BearerCall extends At {
  readonly token?: string
  readonly body?: JsonObject | string
}

export const BODY: JsonObject = { tool: 'payments.refund', arguments: REFUND }

export type Adaptor = ReturnType<typeof createAdaptor>

export interface AdaptorOptions {
  readonly issuer: string
  readonly keys: Keys
  /** Sends to replica `at`. */
  readonly send: (sending: Sending, at?: number) => Promise<Answer>
  /** The newest `DPoP-Nonce`. */
  readonly nonce: () => string
}

export function createAdaptor(options: AdaptorOptions) {
  const { send } = options
  const tokens = createTokens(options)
  const { WT, PT, SA, PF } = tokens

  /** Any route of the agents' face. */
  async function asAgent(agent: Agent, method: string, path: string, call: AgentCall = {}) {
    const st = call.st ?? (await ST(agent))
    const body = bodyText(call.body)
    const proof = PF(call.key ?? agent.key, { method, path, token: st, body }, call.pf)
    const { authorization = `DPoP ${st}` } = call
    const headers = [...typed(body), ...given('Authorization', authorization), ...proof]
    return await send(
      { method, path, headers: [...headers, ...(call.headers ?? [])], body },
      call.at,
    )
  }

  /** Any route of the people's or services' face. */
  async function asBearer(token: string, method: string, path: string, call: BearerCall = {}) {
    const body = bodyText(call.body)
    const headers = [...typed(body), ...given('Authorization', `Bearer ${token}`)]
    return await send(
      { method, path, headers: [...headers, ...(call.headers ?? [])], body },
      call.at,
    )
  }

  /** A form, as it goes to /oauth/*. */
  async function asForm(path: string, form: TokenCall['form'] = {}, call: At = {}) {
    const present = Object.entries(form).filter(([, value]) => value !== undefined)
    const body = new URLSearchParams(present as [string, string][]).toString()
    const type: HeaderLine = ['Content-Type', 'application/x-www-form-urlencoded']
    return await send(
      { method: 'POST', path, headers: [type, ...(call.headers ?? [])], body },
      call.at,
    )
  }

  async function TK(agent: Agent, call: TokenCall = {}) {
    const path = '/oauth/token'
    const form = {
      grant_type: 'client_credentials',
      client_assertion_type: ASSERTION + (agent.kind === 'spiffe' ? 'jwt-spiffe' : 'jwt-bearer'),
      client_assertion: call.wt ?? WT(agent),
      consent_id: agent.consent,
      ...call.form,
    }
    const proof = PF(call.key ?? agent.key, { method: 'POST', path }, call.pf)
    const headers = [...proof, ...(call.headers ?? [])]
    return await asForm(path, form, { ...call, headers })
  }

  /** A fresh session of this run. */
  async function ST(agent: Agent, call: TokenCall = {}): Promise<string> {
    return memberOf(await TK(agent, call), 'access_token')
  }

  async function IN(token: string, call: BearerCall & Pick<TokenCall, 'form'> = {}) {
    const assertion = { client_assertion_type: `${ASSERTION}jwt-bearer` }
    const form = { ...assertion, client_assertion: call.token ?? SA(), token, ...call.form }
    return await asForm('/oauth/introspect', form, call)
  }

  const CR = (agent: Agent, call: AgentCall = {}) =>
    asAgent(agent, 'POST', '/v1/credentials', { body: BODY, ...call })
  const EX = (agent: Agent, call: AgentCall = {}) =>
    asAgent(agent, 'POST', '/v1/explain', { body: BODY, ...call })
  const CO = (body: JsonObject | string, call: BearerCall = {}) =>
    asBearer(call.token ?? PT('kim'), 'POST', '/v1/consents', { body, ...call })
  const AG = (body: JsonObject | string, call: BearerCall = {}) =>
    asBearer(call.token ?? PT('kim'), 'POST', '/v1/agents', { body, ...call })
  const AP = (approval: string, body: JsonObject, call: BearerCall = {}) =>
    asBearer(call.token ?? PT('ben'), 'POST', `/v1/approvals/${approval}/decision`, {
      body,
      ...call,
    })
  const RD = (body: JsonObject | string, call: BearerCall = {}) =>
    asBearer(call.token ?? SA(), 'POST', '/v1/redemptions', { body, ...call })
  const AZ = (body: JsonObject | string, call: BearerCall = {}) =>
    asBearer(call.token ?? SA(), 'POST', '/access/v1/evaluation', { body, ...call })

  /** Registers an agent of this sponsor, with a consent that lasts an hour. */
  async function anAgent({ sponsor = 'kim', token = PT(sponsor), ...more }: AgentWanted = {}) {
    const { kind = 'own', terms = REFUNDING } = more
    const subject = `run-${randomUUID().slice(0, 8)}`
    const signer = { own: aHolder(), oidc: options.keys.ci, spiffe: options.keys.spire }[kind]
    const workload = workloadOf(kind, subject, signer)
    const named = { name: subject, workload }
    const id = memberOf(await needed(() => AG(named, { token })), 'id')
    const consent = { agent_id: id, expires_at: inOneHour(), max_uses: 1000, ...terms }
    const given = await needed(() => CO(consent, { token }))
    const called = kind === 'own' ? id : subject
    const agent: Agent = {
      ...{ id, kind, subject: called, signer, key: aHolder(), sponsor },
      consent: memberOf(given, 'id'),
    }
    return agent
  }

  return {
    ...tokens,
    ...{ send, asAgent, asBearer, asForm, anAgent, TK, ST, CR, EX, CO, AG, AP, IN, RD, AZ },
  }
}

export interface AgentWanted {
  readonly sponsor?: PersonName
  /** The sponsor's, where that is a person whom no other line knows. */
  readonly token?: string
  readonly kind?: Kind
  readonly terms?: JsonObject
}

function workloadOf(kind: Kind, subject: string, { jwk }: Holder): JsonObject {
  const { kid: _, ...members } = jwk
  if (kind === 'own') return { kind: 'jwk', jwk: members }
  if (kind === 'oidc') return { kind: 'oidc', issuer: ISSUERS.ci, subject }
  return { kind: 'spiffe', id: `spiffe://${TRUST_DOMAIN}/${subject}` }
}

/** Valid tokens, fresh at each call, with what a line changes in them. */
function createTokens({ issuer, keys, nonce }: AdaptorOptions) {
  const jti = () => randomUUID()
  const lasting = (life: number) => {
    const iat = seconds()
    return { iat, exp: iat + life }
  }

  function validWT({ kind, subject, signer: holder }: Agent) {
    const header = headerBy(holder, 'JWT')
    const common = { aud: issuer, jti: jti(), ...lasting(120) }
    if (kind === 'own') return { holder, header, claims: { iss: subject, sub: subject, ...common } }
    const sub = kind === 'oidc' ? subject : `spiffe://${TRUST_DOMAIN}/${subject}`
    const iss = kind === 'oidc' ? { iss: ISSUERS.ci } : {}
    return { holder, header, claims: { ...iss, sub, ...common } }
  }
  function validPT(person: PersonName) {
    const { name, roles, groups } = PEOPLE[person]
    const said = { name, roles: [...roles], groups: [...groups], auth_time: seconds() }
    const claims = { iss: ISSUERS.idp, sub: person, aud: issuer, ...lasting(600), ...said }
    return { holder: keys.idp, header: headerBy(keys.idp, 'JWT'), claims }
  }
  function validSA(service = SHOP) {
    const holder = service === SHOP ? keys.shop : keys.otherShop
    const header = headerBy(holder, 'client-authentication+jwt')
    const named = { iss: service, sub: service, aud: issuer }
    return { holder, header, claims: { ...named, ...lasting(60), jti: jti() } }
  }

  /** The header line of a proof over this request; none for `null`. */
  function PF(
    holder: Holder,
    about: { method: string; path: string; token?: string; body?: string },
    changed: Proven['pf'] = {},
  ): HeaderLine[] {
    if (typeof changed === 'string') return [['DPoP', changed]]
    if (changed === null) return []
    const { path, ...rest } = about
    const url = issuer + path.replace(/[?#].*$/, '')
    return [['DPoP', forgeProof(holder, { ...rest, url, nonce: nonce() }, changed)]]
  }

  return {
    ...{ PF, validWT, validPT, validSA },
    WT: (agent: Agent, changed?: Forged) => forge(validWT(agent), changed),
    PT: (person: PersonName, changed?: Forged) => forge(validPT(person), changed),
    SA: (changed?: Forged, service?: string) => forge(validSA(service), changed),
  }
}

/** Where nothing could go on without it: who is told that it cannot be done now asks again. */
export async function needed(ask: () => Promise<Answer>): Promise<Answer> {
  const deadline = performance.now() + NEEDED_MS
  for (;;) {
    const answer = await ask()
    if (answer.status !== 503 || performance.now() > deadline) return answer
    process.stdout.write(`  asked for again: ${answer.text}\n`)
    await pause(250)
  }
}
const NEEDED_MS = 10_000

/** A text member of an answer that must have it. */
export function memberOf({ body, text, status }: Answer, name: string): string {
  const value = body[name]
  if (typeof value !== 'string') throw new Error(`no ${name} in ${String(status)} ${text}`)
  return value
}

const bodyText = (body: JsonObject | string = '') =>
  typeof body === 'string' ? body : canonical(body)
const typed = (body: string): HeaderLine[] =>
  body === '' ? [] : [['Content-Type', 'application/json']]
const given = (name: string, value: string | null): HeaderLine[] =>
  value === null ? [] : [[name, value]]
