/** F61: what a consent or an agent gives, while that is being ended: nothing is issued after the end was told. */
import { setTimeout as pause } from 'node:timers/promises'
import { textIn } from '../src/cli/member.ts'
import { isObject } from '../src/domain/json.ts'
import { anOrder, approve, COUNT, LARGE, mint, REFUND } from './acts.ts'
import type { Outcome } from './calls.ts'
import { type Agent, type Cast, newRun, READING, REFUNDING, register, type Run } from './cast.ts'
import type { Random } from './random.ts'
import type { Race, Round } from './race.ts'

const COPIES = 3
/** What one may be told whose consent or agent is no more. */
const OVER = ['chain_invalid', 'invalid_token', 'invalid_client', 'invalid_grant', 'not_found']

export const ENDINGS: Readonly<Record<string, Race>> = {
  'an end while it is issued': whileIssued,
  'an end while it is approved': whileApproved,
  'an end while it is delivered': whileDelivered,
}

const GIVEN_UP: Round = { outcome: 'not begun', violations: ['a sponsor gave up'] }
const TOKEN = { tool: 'payments.refund', arguments: REFUND, ttl_seconds: 30 }
const LOGIN = { tool: 'sql.query', arguments: COUNT, ttl_seconds: 30 }

async function whileIssued(cast: Cast, random: Random): Promise<Round> {
  const run = await newRun(cast, await someAgent(cast, random), REFUNDING)
  if (run === null) return GIVEN_UP
  const { ms } = await timed(() => mint(cast, run, TOKEN))
  const ask = () => Promise.all(Array.from({ length: COPIES }, () => mint(cast, run, TOKEN)))
  const outcomes = await racing(ask, () => end(cast, run), random.below(3 * ms) - ms)
  const after = await mint(cast, run, TOKEN)
  const alive = await Promise.all(outcomes.map((it) => isAlive(cast, it)))
  const { outcome, violations } = round(outcomes, after)
  const late = alive.includes(true) ? ['alive after its end'] : []
  return { outcome, violations: [...violations, ...late] }
}

/** The first begins so many milliseconds before the second, or after it. Its outcome, when both are over. */
async function racing<T>(
  first: () => Promise<T>,
  second: () => Promise<unknown>,
  beforeMs: number,
): Promise<T> {
  const late = pause(Math.max(0, beforeMs)).then(second)
  const result = pause(Math.max(0, -beforeMs)).then(first)
  await late
  return await result
}

/** How long it takes when nothing is in its way, on a machine that has other things to do. */
async function timed<T>(work: () => Promise<T>): Promise<{ done: T; ms: number }> {
  const since = performance.now()
  const done = await work()
  return { done, ms: Math.ceil(performance.now() - since) }
}

/** As the service that it is for sees it. */
async function isAlive({ world }: Cast, outcome: Outcome): Promise<boolean> {
  if (outcome.kind !== 'done' || !isObject(outcome.body['credential'])) return false
  const { active } = await world.service.introspect(textIn(outcome.body['credential'], 'token'))
  return active !== false
}

/** Somebody says yes, the agent comes with that yes, and somebody else ends it. */
async function whileApproved(cast: Cast, random: Random): Promise<Round> {
  const run = await newRun(cast, await someAgent(cast, random), REFUNDING)
  if (run === null) return GIVEN_UP
  const ask = { ...TOKEN, arguments: { ...LARGE, order_id: anOrder() } }
  const { done: asked, ms } = await timed(() => mint(cast, run, ask))
  if (asked.kind !== 'done' || !isObject(asked.body['approval'])) return GIVEN_UP
  const approval = textIn(asked.body['approval'], 'id')
  const use = async () => {
    await approve(cast, approval)
    return await mint(cast, run, { ...ask, approval })
  }
  const used = await racing(use, () => end(cast, run), random.below(4 * ms) - ms)
  const after = await mint(cast, run, { ...ask, approval })
  return round([used], after, ['approval_consumed', 'access_denied', 'approval_cancelled'])
}

/** A login, which its target makes and ends. */
async function whileDelivered(cast: Cast, random: Random): Promise<Round> {
  const run = await newRun(cast, cast.ana, READING)
  if (run === null) return GIVEN_UP
  const { ms } = await timed(() => mint(cast, run, LOGIN))
  const ask = () => Promise.all(Array.from({ length: COPIES }, () => mint(cast, run, LOGIN)))
  const outcomes = await racing(ask, () => end(cast, run), random.below(3 * ms) - ms)
  return round(outcomes, await mint(cast, run, LOGIN))
}

/** Most share one; now and then it is one that will be retired. */
async function someAgent(cast: Cast, random: Random): Promise<Agent> {
  const own = random.chance(0.25) ? await register(cast.world, cast.call, 'kim') : null
  return own ?? cast.kim
}

/** Resolves when the end is acknowledged: of the agent where it is one of its own, else of the consent. */
async function end({ world, call, kim, ana }: Cast, run: Run): Promise<void> {
  const { sponsor, consent, agent } = run
  const isOwn = agent !== kim && agent !== ana
  const path = isOwn ? `/v1/agents/${agent.id}` : `/v1/consents/${consent}`
  const op = isOwn ? 'retire' : 'withdraw'
  await call({ op, actor: sponsor, sponsor, consent }, () => world.as(sponsor).delete(path))
}

function round(outcomes: readonly Outcome[], after: Outcome, more: readonly string[] = []): Round {
  const fit = new Set([...OVER, ...more])
  const given = outcomes.filter(({ kind }) => kind === 'done').length
  const odd = outcomes.flatMap((it) =>
    it.kind === 'done' || (it.kind === 'refused' && fit.has(it.code)) ? [] : [told(it)],
  )
  const isLate = after.kind !== 'refused' || !fit.has(after.code)
  return {
    outcome: `${String(given)} given before it`,
    violations: isLate ? [...odd, `asked for after its end: ${told(after)}`] : odd,
  }
}

const told = (outcome: Outcome) => (outcome.kind === 'refused' ? outcome.code : outcome.kind)
