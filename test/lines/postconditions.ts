/** What holds after every line, refused or not: nothing appeared but what was answered for, all are well. */
import { expect } from 'vitest'
import { isObject, type Json } from '../../src/domain/json.ts'
import { eventually } from '../scenario/house.ts'
import { checkHeld } from './held.ts'
import { metered } from './metering.ts'
import { type Answer, exchange } from './wire.ts'
import type { startTwo } from './world.ts'

type Two = Awaited<ReturnType<typeof startTwo>>
const MIB = 1024 * 1024

/** Leaves that come of an answer; those of the house-keeping are not told by answers. */
const COUNTED = [
  ...['decision', 'explained', 'issuance', 'session_issued', 'usage'],
  ...['agent_registered', 'consent_granted', 'approval_decided'],
] as const
type Counted = (typeof COUNTED)[number]
type Tally = Partial<Record<Counted | 'lease' | 'refusal', number>>

/** What an answer says has happened; a repeated one has happened before. */
export function toldBy({ sent, status, body, headers }: Answer): Tally {
  const isRepeat = headers.has('idempotency-replayed')
  // What the parser refused never became a request: our headers are not on it.
  const isRequest = headers.has('content-security-policy')
  const decided = typeof body['decision_id'] === 'string'
  const isRefusal = (status >= 400 && status < 500) || status === 503
  const refusal = isRequest && isRefusal && !decided ? { refusal: 1 } : {}
  if (isRepeat) return refusal
  return { ...refusal, ...onSuccess(`${sent.method} ${sent.path}`, status, body, decided) }
}

function onSuccess(route: string, status: number, body: Answer['body'], decided: boolean): Tally {
  if (route === 'POST /v1/credentials' && decided) {
    return status === 201 ? { decision: 1, issuance: 1, lease: 1 } : { decision: 1 }
  }
  if (route.startsWith('POST /access/v1/evaluation')) return { decision: evaluationsIn(body) }
  if (status >= 300) return {}
  if (route.startsWith('POST /v1/approvals/')) return { approval_decided: 1 }
  const leaf = ROUTES[route]
  return leaf === undefined ? {} : { [leaf]: 1 }
}

const ROUTES: Readonly<Record<string, Counted>> = {
  'POST /oauth/token': 'session_issued',
  'POST /v1/explain': 'explained',
  'POST /v1/redemptions': 'usage',
  'POST /v1/agents': 'agent_registered',
  'POST /v1/consents': 'consent_granted',
}

/** An evaluation that was recorded has an id, alone or in a batch. */
function evaluationsIn(body: Answer['body']): number {
  const all: Json[] = Array.isArray(body['evaluations']) ? body['evaluations'] : [body]
  const context = (it: Json) => (isObject(it) && isObject(it['context']) ? it['context'] : {})
  return all.filter((it) => 'evaluation_id' in context(it)).length
}

/** How much there is of each thing, at the database and the counters. */
async function lookedAt({ database, brokers }: Two): Promise<Required<Tally>> {
  const rows = await database.query<{ type: Counted; n: number }>(
    `select event_type as type, count(*)::int as n from ledger.leaf
     where event_type = any($1::text[]) group by 1`,
    [COUNTED],
  )
  const [leases] = await database.query<{ n: number }>(
    'select count(*)::int as n from procura.lease',
  )
  let refusal = 0
  for (const { port } of brokers) refusal += await refusalsAt(port)
  const leaves = Object.fromEntries(COUNTED.map((type) => [type, 0])) as Record<Counted, number>
  for (const { type, n } of rows) leaves[type] = n
  return { ...leaves, lease: leases?.n ?? 0, refusal }
}

/** The logins at the target, and how many there must be: what is due at any moment is not told. */
async function loginsAt({ database, target }: Two) {
  const [leased] = await database.query<{ n: number }>(
    `select count(*)::int as n from procura.lease
     where connector = 'postgres' and state = 'active' and expires_at > now() + interval '5 s'`,
  )
  const [logins] = await target.query<{ n: number }>(
    `select count(*)::int as n from pg_auth_members m join pg_roles g on g.oid = m.roleid
     where right(g.rolname, length($1)) = $1`,
    [target.role('')],
  )
  return { leased: leased?.n ?? 0, logins: logins?.n ?? 0 }
}

async function refusalsAt(port: number): Promise<number> {
  const { text } = await exchange(port, { method: 'GET', path: '/metrics' })
  const lines = text.matchAll(/^procura_refusals_total(?:\{[^}]*\})? (\d+)$/gm)
  return [...lines].reduce((sum, [, n]) => sum + Number(n), 0)
}

export type Looks = Awaited<ReturnType<typeof look>>

/** Before a line. */
export async function look(two: Two) {
  const meters = await Promise.all(two.brokers.map(metered))
  return { meters, there: await lookedAt(two), ...(await loginsAt(two)) }
}

interface Case {
  /** All that was answered meanwhile. */
  readonly answers: readonly Answer[]
  readonly isCounted: boolean
  readonly rssMb: number
  readonly isReady: boolean
}

/** After it. */
export async function checkAfter(two: Two, before: Looks, how: Case): Promise<void> {
  const after = await look(two)
  const told: Record<string, number> = { ...before.there }
  for (const answer of how.answers) {
    for (const [name, n] of Object.entries(toldBy(answer))) told[name] = (told[name] ?? 0) + n
  }
  if (how.isCounted) {
    expect(after.there, '[G2, G3] leaves, leases, refusals').toEqual(told)
    checkLogins(before, after, how.answers)
  }
  for (const [n, { pid, rss }] of after.meters.entries()) {
    const earlier = before.meters[n]
    expect(pid, '[G4] the same process').toBe(earlier?.pid)
    expect(rss - (earlier?.rss ?? 0), '[G4] memory grew').toBeLessThan(how.rssMb * MIB)
    if (how.isReady) await isReady(two.brokers[n]?.port ?? 0)
  }
  checkHeld(Math.max(...after.meters.map(({ heldMs }) => heldMs)))
}

/** None but those that were given, and none less but by its lease: they go by themselves. */
function checkLogins(before: Looks, after: Looks, answers: readonly Answer[]): void {
  const given = answers.filter(isLogin).length
  expect(after.logins, '[G2] logins').toBeLessThanOrEqual(before.logins + given)
  expect(after.logins, '[G2] logins').toBeGreaterThanOrEqual(after.leased)
}

const isLogin = ({ body: { credential } }: Answer) =>
  isObject(credential) && credential['kind'] === 'postgres'

/** At once, unless the machine is so busy that the look behind it came to no end. */
async function isReady(port: number): Promise<void> {
  let told = ''
  await eventually('[G4] readiness', async () => {
    const { status, text } = await exchange(port, { method: 'GET', path: '/readyz' })
    if (status !== 200 && told === '') process.stdout.write(`  not ready at once: ${text}\n`)
    told = text
    return status === 200
  })
}
