/** Each connector there is, as a process that delivers by it is killed. */
import { digestOf } from '../../src/domain/digest.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { AUDIENCE } from '../delivery/bench.ts'
import type { aPostgresTarget } from '../delivery/postgres-target.ts'
import { type Gate, startGate } from '../fakes/gate.ts'
import type { When } from '../fakes/holding.ts'
import { anUpstream } from '../lines/upstream.ts'
import type { Call, Guarded } from './side.ts'
import type { Victim } from './victims.ts'

export interface Kind extends Pick<
  Victim,
  'makes' | 'ends' | 'isTold' | 'isSure' | 'isAlive' | 'stop'
> {
  readonly guarded: Guarded
  /** `null`: nobody is asked. */
  readonly gate: Gate | null
  /** What its decisions say. */
  readonly claims: JsonObject
  /** Unspent means unused. */
  readonly isEnforced: boolean
  /** Something is made at its target as it is issued. */
  readonly isMadeThere: boolean
  readonly calls: readonly Calling[]
}

/** A call that is held up on its way, in the words that are in that ask alone. */
export interface Calling {
  readonly words: (name: string) => string
  readonly when: When
  readonly call: Call
  readonly claims: JsonObject
}

export function ofVictim(victim: Victim): Kind {
  const { connector, settings, secret, permissions } = victim
  return {
    ...victim,
    guarded: { connector, settings, secret },
    claims: { connector, permissions, sender_constraint: 'none' },
    ...{ isEnforced: false, isMadeThere: true, calls: [] },
  }
}

const NOBODY = {
  ...{ makes: [], ends: [], isTold: false, isSure: true, isEnforced: true, isMadeThere: false },
  isAlive: () => Promise.resolve(false),
}

export function ofJwt(): Kind {
  const audience = { audience: AUDIENCE }
  return {
    ...{ ...NOBODY, gate: null, calls: [], stop: () => Promise.resolve() },
    guarded: { connector: 'jwt', settings: audience, secret: '' },
    claims: { connector: 'jwt', permissions: audience, sender_constraint: 'dpop' },
  }
}

export async function ofHttp(): Promise<Kind & { readonly seen: () => string[] }> {
  const upstream = await anUpstream()
  const gate = await startGate(upstream.port)
  const template = '/v1/things/{name}'
  const claimsFor = (path: string) => ({
    ...{ connector: 'http', sender_constraint: 'proxy' },
    permissions: { method: 'GET', template, path, query: {}, body_sha256: null, headers: {} },
  })
  const calling = (when: When): Calling => {
    const path = `/v1/things/${when}`
    const call = { method: 'GET', path, body: '' }
    return { words: () => `GET ${path}`, when, call, claims: claimsFor(path) }
  }
  const settings = {
    ...{ base_url: `http://127.0.0.1:${String(gate.port)}`, insecure_http: true },
    ...{ private_addresses: ['127.0.0.1/32'], inject: 'bearer' },
    allow: [{ methods: ['GET'], paths: [template] }],
  }
  return {
    ...{ ...NOBODY, gate, claims: claimsFor('/v1/things/red') },
    ...{ guarded: { connector: 'http', settings, secret: 'canary-of-http' } },
    calls: [calling('asked'), calling('answered')],
    stop: () => gate.stop(),
    seen: () => upstream.seen.map(({ target }) => target),
  }
}

/** At the server of the victim, on a way of its own. */
export async function ofExact(at: Awaited<ReturnType<typeof aPostgresTarget>>) {
  const gate = await startGate(at.settings.port)
  const { read, write, permissions } = at
  const claims = {
    ...{ connector: 'postgres-exact', sender_constraint: 'proxy' },
    permissions: { ...permissions, roles: [read, write], read_only: false, statement: 'sql' },
  }
  const calling = (id: number, when: When, words: Calling['words']): Calling => {
    const args = { sql: `insert into orders values (${String(id)}, 'by a call')` }
    const call = { method: 'POST', path: '/query', body: canonical(args) }
    return { words, when, call, claims: { ...claims, args_hash: digestOf(args) } }
  }
  /** That inserts this row. */
  const running = (id: number, when: When) => calling(id, when, () => `values (${String(id)},`)
  const kind: Kind = {
    ...{ ...NOBODY, gate, claims, isAlive: (name) => at.has(name), stop: () => gate.stop() },
    guarded: {
      ...{ connector: 'postgres-exact', secret: at.password.reveal() },
      settings: { ...at.settings, port: gate.port },
    },
    calls: [
      calling(101, 'asked', (name) => `create role "${name}"`),
      ...[running(102, 'asked'), running(103, 'answered')],
      calling(104, 'asked', (name) => `drop role "${name}"`),
    ],
  }
  return { kind, running }
}
