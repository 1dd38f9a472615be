/** Two brokers, with targets that take tokens of authorization servers: a patient one, a strict one, one that is told what to say. */
import type { JSONWebKeySet } from 'jose'
import type { JsonObject } from '../../src/domain/json.ts'
import {
  anAuthorizationServer,
  type AuthorizationServer,
  CLIENT,
} from '../fakes/authorization-server.ts'
import { brokersFor, GET, LOOPBACK, type ProxyWorld, READ } from './proxied.ts'
import { anUpstream, type Upstream } from './upstream.ts'
import { ISSUER } from './world.ts'

export type OauthWorld = Awaited<ReturnType<typeof anOauthWorld>>

export async function anOauthWorld() {
  const [upstream, issuer, canary] = [await anUpstream(), await anUpstream(), await anUpstream()]
  const ports: string[] = []
  const believing = {
    jwks: async () => {
      const url = `http://127.0.0.1:${ports[0] ?? ''}/.well-known/jwks/credentials.json`
      return (await (await fetch(url)).json()) as JSONWebKeySet
    },
    ...{ issuer: `${ISSUER}/subjects`, audience: 'https://as.example' },
  }
  const [patient, strict] = [
    await anAuthorizationServer(believing),
    await anAuthorizationServer(believing),
  ]
  patient.isPatient = true
  const { apis, own } = apisOf({ upstream, issuer, canary, patient, strict })
  const w = await brokersFor(apis, own)
  ports.push(...w.brokers.map(({ port }) => String(port)))
  return { w, upstream, issuer, canary, patient, strict, ...calls(w) }
}

interface Servers {
  readonly upstream: Upstream
  readonly issuer: Upstream
  readonly canary: Upstream
  readonly patient: AuthorizationServer
  readonly strict: AuthorizationServer
}

function apisOf({ upstream, issuer, canary, patient, strict }: Servers) {
  const on = (port: number, host = '127.0.0.1') => `http://${host}:${String(port)}/token`
  const api = (inject: JsonObject, timeout_ms = 10_000): JsonObject => ({
    ...{ base_url: `http://127.0.0.1:${String(upstream.port)}`, private_addresses: LOOPBACK },
    ...{ timeout_ms, limits: { concurrent: 40 }, inject },
  })
  const told = (token_url: string, more: JsonObject = {}) =>
    api({ client_credentials: { token_url, client_id: CLIENT.id, ...more } }, 2000)
  const at = ({ tokenUrl: token_url }: AuthorizationServer) => ({ token_url, client_id: CLIENT.id })
  const secretOf = (server: AuthorizationServer) =>
    JSON.stringify({ client_secret: CLIENT.secret, refresh_token: server.grant() })
  const exchange = { scope: 'things.read', resource: 'https://api.example/things' }
  const asked = { scope: 'things.read things.write', audience: 'https://api.example' }
  const apis = {
    api: told(on(issuer.port), asked),
    posting: told(on(issuer.port), { authentication: 'post' }),
    far: told(on(canary.port, '169.254.169.254')),
    shared: api({ client_credentials: { ...at(patient), keep: true } }),
    kept: api({ refresh_token: at(patient) }),
    strict: api({ refresh_token: { ...at(strict), authentication: 'post' } }),
    exchanged: api({
      token_exchange: { ...at(patient), ...exchange, subject_audience: 'https://as.example' },
    }),
    misled: api({ token_exchange: at(patient) }),
  }
  const clients = { shared: CLIENT.secret, exchanged: CLIENT.secret, misled: CLIENT.secret }
  return { apis, own: { ...clients, kept: secretOf(patient), strict: secretOf(strict) } }
}

/** By one of the brokers, with a session of its own or this one. */
const calls = (w: ProxyWorld) => ({
  reading: (api: string, at = 0, st?: string) =>
    w.lease(w.agent, `${api}.read`, READ, { at, ...(st !== undefined && { st }) }),
  calling: (id: string, at = 0, st?: string) =>
    w.call(w.agent, id, GET, { at, ...(st !== undefined && { st }) }),
  change: (api: string, sql: string) =>
    w.database.query(`update procura.target_token set ${sql} where target = $1`, [api]),
})
