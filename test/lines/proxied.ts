/** Two brokers that call APIs for agents: each target has two tools, one that reads and one that writes. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request, type RequestOptions } from 'node:http'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { sealTarget } from '../../src/cli/seal-target.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import { aHolder } from '../identity/signing.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { type BrokerProcess, COMPILED, startBroker } from '../scenario/broker.ts'
import { aHouse, eventually } from '../scenario/house.ts'
import {
  type Agent,
  type AgentCall,
  createAdaptor,
  ISSUERS,
  type Keys,
  memberOf,
} from './adaptor.ts'
import type { Seen, Upstream } from './upstream.ts'
import { type Answer, exchange, printable, type Sending } from './wire.ts'
import { ISSUER } from './world.ts'

/** Settings of targets, by name, without what they have in common. */
export type Apis = Readonly<Record<string, JsonObject>>

export type ProxyWorld = Awaited<ReturnType<typeof brokersFor>>

export const LOOPBACK = ['127.0.0.1/32', '::1/128']
const ALLOW = [
  { methods: ['GET', 'HEAD', 'PUT'], paths: ['/v1/things/{name}'] },
  { methods: ['POST'], paths: ['/v1/things/{name}/notes'] },
]

export const READ = { name: 'red', view: 'all' }
/** The call that `READ` comes to. */
export const GET = ['GET', '/v1/things/red?view=all'] as const

/** Fails unless it was the broker that refused it, and so. */
export async function refused(answer: Answer | Promise<Answer>, status: number, code: string) {
  const it = await answer
  expect([it.status, it.body['code']], printable(it)).toEqual([status, code])
  expect(it.headers.has('procura-upstream-status')).toBe(false)
}

/** What reached the target during this. */
export async function during(upstream: Upstream, work: () => Promise<unknown>): Promise<Seen[]> {
  const from = upstream.seen.length
  await work()
  return upstream.seen.slice(from)
}

/** The values of a header, as they were sent. */
export const valuesOf = ({ raw }: Seen, name: string) =>
  raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === name)

/** What the ledger says came of the calls of this lease, once it does. */
export async function outcomes(w: ProxyWorld, id: string): Promise<unknown[]> {
  const deadline = performance.now() + 5000
  for (;;) {
    const rows = await w.database.query<{ effect: JsonObject; reason: string | null }>(
      `select entry::jsonb -> 'effect' as effect, entry::jsonb ->> 'reason' as reason
       from ledger.leaf
       where event_type = 'usage' and entry::jsonb -> 'credential' ->> 'id' = $1
       order by index offset 1`,
      [id],
    )
    if (rows.length > 0 || performance.now() > deadline) {
      return rows.map(({ effect, reason }) => [effect['observed'], effect['upstream'], reason])
    }
    await pause(20)
  }
}

/**
 * Starts both. Each target has a secret of its own, `user:…` where it is a pair.
 *
 * @param own the secrets of targets that need a certain one
 */
export async function brokersFor(apis: Apis, own: Readonly<Record<string, string>> = {}) {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const keys = someKeys()
  const secrets = new Map<string, string>()
  const where = { databaseUrl: new Secret(database.url), tenant: 'main', keysDir: home.keysDir }
  for (const [name, { inject }] of Object.entries(apis)) {
    const secret = randomBytes(24).toString('base64')
    secrets.set(name, own[name] ?? (inject === 'basic' ? `user:${secret}` : secret))
    const sealed = new Secret(secrets.get(name) ?? '')
    await sealTarget({ ...where, sealKey: null }, name, sealed)
  }
  const trust = home.env['PROCURA_TRUST'] ?? ''
  addPeople(trust, keys)
  addTargets(trust, apis)
  for (const name of Object.keys(apis)) declare(home.env['PROCURA_POLICIES'] ?? '', name)
  const brokers = await Promise.all(
    ['one', 'two'].map((name) => {
      mkdirSync(join(home.dataDir, name))
      const checkpoints = join(home.dataDir, name, 'checkpoints')
      const env = {
        ...home.env,
        ...{ PROCURA_ISSUER: ISSUER, PROCURA_REQUESTS_PER_SECOND: '50000' },
        PROCURA_CHECKPOINTS: checkpoints,
        ...(name === 'one' && COMPILED),
      }
      return startBroker(env, [], { isAsShipped: true }) // Forty tools are vetted.
    }),
  )
  // As a balancer does: forty tools may take longer to be checked than there is time for, beside another.
  for (const { port } of brokers) {
    const isReady = async () =>
      (await exchange(port, { method: 'GET', path: '/readyz' })).status === 200
    await eventually('being ready', isReady, 60)
  }
  const made = calling(brokers, keys)
  const agent = await made.anAgent({ terms: termsFor(apis) })
  return { ...made, database, home, brokers, keys, agent, secrets, terms: termsFor(apis) }
}

const termsFor = (apis: Apis): JsonObject => ({
  tools: Object.keys(apis).map((name) => `${name}.*`),
  purpose: 'support',
})

/** Leases and calls, by any agent, of either broker. */
function calling(brokers: readonly BrokerProcess[], keys: Keys) {
  let nonce = ''
  async function send(sending: Sending, at = 0): Promise<Answer> {
    const answer = await exchange(brokers[at]?.port ?? 0, sending, at)
    nonce = answer.headers.get('dpop-nonce') ?? nonce
    return answer
  }
  const adaptor = createAdaptor({ issuer: ISSUER, keys, send, nonce: () => nonce })

  /** A credential for one call. */
  async function lease(agent: Agent, tool: string, args: JsonObject, more: AgentCall = {}) {
    if (nonce === '')
      await send({ method: 'POST', path: '/v1/credentials', headers: [['DPoP', 'x']] })
    const body = { tool, arguments: args, purpose: 'support' }
    const answer = await adaptor.CR(agent, { body, ...more })
    expect(answer.status, printable(answer)).toBe(201)
    const id = memberOf(answer, 'id')
    expect(answer.body).toMatchObject({
      ...{ delivery: 'proxy', sender_constraint: 'proxy' },
      credential: { kind: 'proxy', base_url: `${ISSUER}/v1/proxy/${id}/` },
    })
    return id
  }

  const call = (
    agent: Agent,
    id: string,
    [method, path]: readonly [string, string],
    of?: AgentCall,
  ) => adaptor.asAgent(agent, method, `/v1/proxy/${id}${path}`, of)

  async function stateOf(agent: Agent, id: string): Promise<string> {
    return memberOf(await adaptor.asAgent(agent, 'GET', `/v1/credentials/${id}`), 'status')
  }
  /** The same for a long answer: how much of it came, and whether that was all. */
  async function stream(
    agent: Agent,
    id: string,
    [method, below]: readonly [string, string],
    at = 0,
  ) {
    const path = `/v1/proxy/${id}${below}`
    const st = await adaptor.ST(agent)
    const proof = adaptor.PF(agent.key, { method, path, token: st })
    const headers = { Authorization: `DPoP ${st}`, ...Object.fromEntries(proof) }
    return await streamed({ port: brokers[at]?.port ?? 0, method, path, headers })
  }
  return { ...adaptor, lease, call, stream, stateOf, nonce: () => nonce }
}

const KEPT = 300_000

interface Streamed {
  readonly status: number
  readonly bytes: number
  readonly isWhole: boolean
  /** The beginning of it. */
  readonly text: string
}

function streamed(options: RequestOptions): Promise<Streamed> {
  return new Promise((resolve, reject) => {
    const sent = request({ ...options, host: '127.0.0.1', agent: false }, (answer) => {
      let bytes = 0
      let text = ''
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (text.length < KEPT) text += chunk.toString('latin1')
      })
      answer.once('error', () => undefined) // Cut off: `close` follows.
      answer.once('close', () => {
        resolve({ status: answer.statusCode ?? 0, bytes, isWhole: answer.complete, text })
      })
    })
    sent.once('error', reject)
    sent.end()
  })
}

function someKeys(): Keys {
  const [ci, otherCi] = [aHolder('ES256', 'ci'), aHolder('ES256', 'ci')]
  const [idp, spire] = [aHolder('ES256', 'idp-1'), aHolder('ES256', 'spire-1')]
  return { idp, ci, otherCi, spire, shop: aHolder(), otherShop: aHolder() }
}

/** Targets of http, in a trust file. Each tool of theirs is `declare`d. */
export function addTargets(file: string, apis: Apis): void {
  changeTrust(file, (trust) => {
    const targets = Object.entries(apis).map(([name, settings]) => [
      name,
      { connector: 'http', insecure_http: true, allow: ALLOW, inject: 'bearer', ...settings },
    ])
    const known = trust['targets'] as JsonObject
    return { targets: { ...known, ...Object.fromEntries(targets) } as JsonObject }
  })
}

function addPeople(file: string, { idp }: Keys): void {
  const named = Object.fromEntries(
    ['sponsor', 'approver', 'auditor', 'operator'].map((role) => [role, [role]]),
  )
  const roles = { claim: 'roles', ...named }
  const more = { issuer: ISSUERS.idp, jwks: { keys: [idp.jwk] }, roles }
  changeTrust(file, (trust) => ({ people: [...(trust['people'] as JsonObject[]), more] }))
}

function changeTrust(file: string, change: (trust: JsonObject) => JsonObject): void {
  const trust = parseTrusted(readFileSync(file, 'utf8'))
  if (!isObject(trust)) throw new TypeError('no trust file')
  writeFileSync(file, JSON.stringify({ ...trust, ...change(trust) }))
}

/** Reads a thing, and writes a note to it; rules permit both, to support. */
export function declare(folder: string, name: string): void {
  const text = { type: 'string', maxLength: 2000 }
  const common = {
    ...{ target: name, connector: 'http', sender_constraint: 'proxy', groups: ['apis'] },
    ...{ risk: 'low', facts: { kind: 'http' }, ttl_seconds: { default: 120, max: 300 } },
  }
  const reading = {
    ...{ name: `${name}.read`, title: 'Read a thing', ...common },
    arguments: {
      type: 'object',
      required: ['name', 'view'],
      properties: { name: text, view: text },
    },
    grant: { method: 'GET', path: '/v1/things/{name}', query: { view: 'view' } },
  }
  const writing = {
    ...{ name: `${name}.write`, title: 'Write a note', ...common },
    arguments: {
      type: 'object',
      required: ['name', 'text'],
      properties: { name: text, text, stars: { type: 'integer' } },
    },
    grant: {
      ...{ method: 'POST', path: '/v1/things/{name}/notes' },
      body: { text: 'text', stars: 'stars' },
      headers: { 'x-version': '3' },
    },
  }
  for (const tool of [reading, writing]) {
    writeFileSync(join(folder, 'tools', `${tool.name}.yaml`), JSON.stringify(tool))
  }
  const actions = [reading, writing].map((tool) => `Action::"${tool.name}"`)
  writeFileSync(
    join(folder, `${name}.cedar`),
    `@id("${name}-is-called")
permit (principal, action in [${actions.join(', ')}], resource in ToolGroup::"apis")
when { context.purpose == "support" && context.facts.path like "/v1/things/*" };

@id("${name}-is-consented-to")
permit (principal, action == Action::"consent", resource in ToolGroup::"apis")
when { resource.target == "${name}" };
`,
  )
}
