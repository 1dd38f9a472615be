/** What holds after every line, refused or not: nothing appeared but what was answered for, all are well. */
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { isObject, type Json, parseTrusted } from '../../src/domain/json.ts'
import { eventually } from '../scenario/house.ts'
import { type Answer, exchange } from './wire.ts'
import type { Replica, startTwo } from './world.ts'

type Two = Awaited<ReturnType<typeof startTwo>>
const HELD_MS_MAX = 200
/** In a flood one turn of the loop answers all that came in while somebody else had the processor. */
const HELD_IN_FLOOD_MS_MAX = 1000
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

/** How much there is of each thing, at the database, the target and the counters. */
async function lookedAt({ database, target, brokers }: Two): Promise<Required<Tally> & Extra> {
  const rows = await database.query<{ type: Counted; n: number }>(
    `select event_type as type, count(*)::int as n from ledger.leaf
     where event_type = any($1::text[]) group by 1`,
    [COUNTED],
  )
  const [leases] = await database.query<{ n: number }>(
    'select count(*)::int as n from procura.lease',
  )
  const [logins] = await target.query<{ n: number }>(
    `select count(*)::int as n from pg_auth_members m join pg_roles g on g.oid = m.roleid
     where right(g.rolname, length($1)) = $1`,
    [target.role('')],
  )
  let refusal = 0
  for (const { port } of brokers) refusal += await refusalsAt(port)
  const leaves = Object.fromEntries(COUNTED.map((type) => [type, 0])) as Record<Counted, number>
  for (const { type, n } of rows) leaves[type] = n
  return { ...leaves, lease: leases?.n ?? 0, refusal, logins: logins?.n ?? 0 }
}
interface Extra {
  readonly logins: number
}

async function refusalsAt(port: number): Promise<number> {
  const { text } = await exchange(port, { method: 'GET', path: '/metrics' })
  const lines = text.matchAll(/^procura_refusals_total(?:\{[^}]*\})? (\d+)$/gm)
  return [...lines].reduce((sum, [, n]) => sum + Number(n), 0)
}

interface Metered {
  readonly asked: number
  readonly pid: number
  readonly heldMs: number
  readonly rss: number
}

/** What the meter inside a broker says; the time that the loop was held is since the last asking. */
async function metered(replica: Replica, after: number): Promise<Metered> {
  replica.signal('SIGUSR2')
  return await eventually('what the meter says', () => {
    const said = meterIn(replica.meter)
    return Promise.resolve(said !== null && said.asked > after ? said : null)
  })
}

function meterIn(file: string): Metered | null {
  try {
    return parseTrusted(readFileSync(file, 'utf8')) as unknown as Metered
  } catch {
    return null // Not written yet, or not yet whole.
  }
}

export type Looks = Awaited<ReturnType<typeof look>>

/** Before a line. */
export async function look(two: Two) {
  const meters = await Promise.all(
    two.brokers.map((it) => metered(it, meterIn(it.meter)?.asked ?? 0)),
  )
  return { meters, there: await lookedAt(two) }
}

interface Case {
  /** All that was answered meanwhile. */
  readonly answers: readonly Answer[]
  readonly isCounted: boolean
  readonly rssMb: number
  readonly isReady: boolean
  readonly isFlooded: boolean
}

/** After it. */
export async function checkAfter(two: Two, before: Looks, how: Case): Promise<void> {
  const after = await look(two)
  const told: Record<string, number> = { ...before.there }
  for (const answer of how.answers) {
    for (const [name, n] of Object.entries(toldBy(answer))) told[name] = (told[name] ?? 0) + n
  }
  // A login that was rightly given comes, and goes by itself.
  if (how.answers.some(isLogin)) told['logins'] = after.there.logins
  if (how.isCounted) expect(after.there, '[G2, G3] leaves, leases, logins, refusals').toEqual(told)
  for (const [n, { pid, heldMs, rss }] of after.meters.entries()) {
    const earlier = before.meters[n]
    expect(pid, '[G4] the same process').toBe(earlier?.pid)
    const heldMsMax = how.isFlooded ? HELD_IN_FLOOD_MS_MAX : HELD_MS_MAX
    expect(heldMs, '[G4] the loop was held').toBeLessThan(heldMsMax)
    expect(rss - (earlier?.rss ?? 0), '[G4] memory grew').toBeLessThan(how.rssMb * MIB)
    if (how.isReady) await isReady(two.brokers[n]?.port ?? 0)
  }
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
