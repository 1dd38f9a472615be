/** What callers do, each a small story; a story goes on as far as it is let. */
import { randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { AUDIENCE } from '../src/cli/dev/trust.ts'
import { textIn } from '../src/cli/member.ts'
import { sha256 } from '../src/domain/digest.ts'
import { isObject, type JsonObject } from '../src/domain/json.ts'
import type { Outcome } from './calls.ts'
import { type Cast, newRun, READING, REFUNDING, register, type Run } from './cast.ts'
import type { Random } from './random.ts'

export const REFUND = { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' }
export const LARGE = { ...REFUND, amount: 20_000 }
const TOO_LARGE = { ...REFUND, amount: 200_000 }
export const COUNT = { sql: 'select count(*) from orders' }
const LOGIN_MS = 3000

interface Ask {
  readonly tool: string
  readonly arguments: JsonObject
  readonly ttl_seconds?: number
  readonly approval?: string
}

/** Asks until there is an answer, under one key. What was made for an answer that got lost is given back. */
export async function mint({ call }: Cast, run: Run, ask: Ask, key: string = randomUUID()) {
  const { actor, sponsor, consent } = run
  const called = { op: 'mint', actor, sponsor, key, consent, asked: sha256(JSON.stringify(ask)) }
  const answer = await call({ ...called, op: 'mint' }, async () => {
    const { body } = await run.client.requestCredential(ask, key)
    return { ...body }
  })
  if (answer.kind === 'lost' && answer.credential !== '')
    await giveBack(run, answer.credential, call)
  return answer
}

async function giveBack(run: Run, id: string, call: Cast['call']): Promise<Outcome> {
  const { actor, sponsor } = run
  return await call({ op: 'give back', actor, sponsor }, () => run.client.giveBack(id))
}

/** A token for one refund; then it is spent, given back or left alone. */
export async function refund(cast: Cast, run: Run, random: Random): Promise<void> {
  const then = random.pick(['spend', 'give back', 'leave'])
  const made = await mint(cast, run, { tool: 'payments.refund', arguments: REFUND, ttl_seconds: 5 })
  if (made.kind !== 'done' || made.body['status'] !== 'active') return
  if (then === 'spend') await spend(cast, run, made.body)
  if (then === 'give back') await giveBack(run, textIn(made.body, 'id'), cast.call)
}

/** The service spends it; and again, under another key, which must not work. */
async function spend({ world, call }: Cast, run: Run, body: JsonObject): Promise<void> {
  const { credential } = body
  if (!isObject(credential)) return
  const token = textIn(credential, 'token')
  for (const key of [randomUUID(), randomUUID()]) {
    const ask = () => ({
      ...{ token, tool: 'payments.refund', args_hash: textIn(body, 'args_hash') },
      dpop: { proof: proofOf(run, token), htm: 'POST', htu: `${AUDIENCE}/refunds` },
    })
    const called = { op: 'redeem', actor: 'payments', sponsor: run.sponsor, key } as const
    await call(called, () => world.service.post('/v1/redemptions', ask(), key))
  }
}

export function proofOf({ key }: Run, token: string): string {
  const claims = { htm: 'POST', htu: `${AUDIENCE}/refunds`, jti: randomUUID() }
  const iat = Math.floor(Date.now() / 1000)
  return key.sign('dpop+jwt', { ...claims, iat, ath: sha256(token) }, { jwk: key.publicJwk })
}

/** A login for a second or two; it is tried, and then given back or left to its end. */
export async function query(cast: Cast, run: Run, random: Random): Promise<void> {
  const [ttl, isReturned] = [1 + random.below(3), random.chance(0.5)]
  const made = await mint(cast, run, { tool: 'sql.query', arguments: COUNT, ttl_seconds: ttl })
  if (made.kind !== 'done' || made.body['status'] !== 'active') return
  await logIn(made.body)
  if (isReturned) await giveBack(run, textIn(made.body, 'id'), cast.call)
}

/** Whether what was delivered opens a session; a server that is away is no answer. */
async function logIn({ credential }: JsonObject): Promise<boolean> {
  if (!isObject(credential)) return false
  const text = (name: string) => textIn(credential, name)
  const client = new Client({
    ...{ host: text('host'), port: Number(credential['port']), database: text('database') },
    ...{ user: text('username'), password: text('password') },
    ...{ connectionTimeoutMillis: LOGIN_MS, query_timeout: LOGIN_MS },
  })
  client.on('error', () => undefined) // It may be ended under us: that is what it is for.
  try {
    await client.connect()
    await client.query(COUNT.sql)
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** A refund that somebody has to say yes to; the yes is good for one credential, and is tried twice. */
export async function largeRefund(cast: Cast, run: Run): Promise<void> {
  const ask = {
    tool: 'payments.refund',
    arguments: { ...LARGE, order_id: anOrder() },
    ttl_seconds: 5,
  }
  const asked = await mint(cast, run, ask)
  if (asked.kind !== 'done' || !isObject(asked.body['approval'])) return
  const approval = textIn(asked.body['approval'], 'id')
  if ((await approve(cast, approval)).kind !== 'done') return
  await mint(cast, run, { ...ask, approval })
  await mint(cast, run, { ...ask, approval })
}

/** Nobody is asked twice for the same call, so each is another. */
export const anOrder = () => `EU-2026/${String(Math.floor(Math.random() * 1e9))}`

export async function approve({ world, call }: Cast, id: string): Promise<Outcome> {
  const ben = world.as('ben')
  const by = { actor: 'ben', sponsor: 'ben' }
  const seen = await call({ ...by, op: 'look' }, () => ben.get(`/v1/approvals/${id}`))
  if (seen.kind !== 'done') return seen
  const key = randomUUID()
  const verdict = { decision: 'approve', binding_hash: textIn(seen.body, 'binding_hash') }
  const path = `/v1/approvals/${id}/decision`
  return await call({ ...by, op: 'approve', key }, () => ben.post(path, verdict, key))
}

/** A refund that no policy allows, asked for twice under one key. */
export async function refusedRefund(cast: Cast, run: Run): Promise<void> {
  const key = randomUUID()
  const ask = { tool: 'payments.refund', arguments: TOO_LARGE }
  await mint(cast, run, ask, key)
  await mint(cast, run, ask, key)
}

/** A consent for one use, and three calls at once. */
export async function oneUse(cast: Cast): Promise<void> {
  const run = await newRun(cast, cast.kim, { ...REFUNDING, max_uses: 1 })
  if (run === null) return
  const ask = { tool: 'payments.refund', arguments: REFUND, ttl_seconds: 5 }
  await Promise.all([mint(cast, run, ask), mint(cast, run, ask), mint(cast, run, ask)])
}

/** A login that lives when what it rests on is ended; afterwards nothing is issued under that. */
async function ended(cast: Cast, run: Run, how: 'withdraw' | 'retire'): Promise<void> {
  const { world, call } = cast
  const { sponsor, consent, agent } = run
  const ask = { tool: 'sql.query', arguments: COUNT, ttl_seconds: 300 }
  const meanwhile = [mint(cast, run, ask), mint(cast, run, ask)]
  await meanwhile[0]
  const path = how === 'withdraw' ? `/v1/consents/${consent}` : `/v1/agents/${agent.id}`
  await call({ op: how, actor: sponsor, sponsor, consent }, () => world.as(sponsor).delete(path))
  await mint(cast, run, ask)
  await meanwhile[1]
}

export async function withdrawn(cast: Cast): Promise<void> {
  const run = await newRun(cast, cast.ana, READING)
  if (run !== null) await ended(cast, run, 'withdraw')
}

export async function retired(cast: Cast): Promise<void> {
  const agent = await register(cast.world, cast.call, 'ana')
  const run = agent && (await newRun(cast, agent, READING))
  if (run !== null) await ended(cast, run, 'retire')
}
