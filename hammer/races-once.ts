/** F60: what there is one of goes to one, however many ask for it at once, and at whichever broker. */
import { randomUUID } from 'node:crypto'
import { AUDIENCE } from '../src/cli/dev/trust.ts'
import { textIn } from '../src/cli/member.ts'
import { canonical, isObject, type JsonObject } from '../src/domain/json.ts'
import { anOrder, approve, LARGE, mint, proofOf, REFUND } from './acts.ts'
import type { Outcome } from './calls.ts'
import { type Cast, newRun, REFUNDING, type Run } from './cast.ts'
import { sha256 } from './journal.ts'
import type { Race, Round } from './race.ts'

const COPIES = 4
/** Longer than any of it takes: what ends by itself is another matter. */
const ASK = { tool: 'payments.refund', arguments: REFUND, ttl_seconds: 30 }

export const ONE_WINNER: Readonly<Record<string, Race>> = {
  'one proof': proofTwice,
  'one Idempotency-Key': keyTwice,
  'one use left': useTwice,
  'one approval': approvalTwice,
  'one lease': leaseTwice,
}

/** What whoever asks again is told of an issuance that failed: then nobody has it. */
const FAILED = 'decision_stale'

/** Exactly one has it; each of the others has been told so. None where it failed, on a machine that is busy. */
function oneOf(outcomes: readonly Outcome[], losing: string): Round {
  const words = outcomes.map((it) => (it.kind === 'refused' ? it.code : it.kind))
  const won = words.filter((word) => word === 'done').length
  const hasFailed = won === 0 && words.includes(FAILED)
  const fit = new Set(['done', losing, ...(hasFailed ? [FAILED] : [])])
  const odd = words.filter((word) => !fit.has(word))
  const amount = `${String(won)} of ${String(words.length)} have it`
  const violations = won === 1 || hasFailed ? odd : [amount, ...odd]
  return { outcome: hasFailed ? 'failed' : `won by ${String(won)}`, violations }
}

const copies = <T>(make: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: COPIES }, (_, n) => make(n)))

const GIVEN_UP: Round = { outcome: 'not begun', violations: ['a sponsor gave up'] }

/** The same octets, signed once, at both. */
async function proofTwice(cast: Cast): Promise<Round> {
  const run = await newRun(cast, cast.kim, REFUNDING)
  if (run === null) return GIVEN_UP
  const { issuer, replicas } = cast.world
  const body = canonical(ASK)
  const headers = await signed(run, issuer, body)
  const statuses = await copies(async (n) => {
    const port = replicas[n % replicas.length]?.broker().port
    const url = `http://127.0.0.1:${String(port)}/v1/credentials`
    const answer = await fetch(url, { method: 'POST', headers, body })
    await answer.arrayBuffer()
    return answer.status
  })
  const told = statuses.sort().join(' ')
  return { outcome: told, violations: told === '201 401 401 401' ? [] : [told] }
}

async function signed(run: Run, issuer: string, body: string) {
  const token = textIn(await run.client.connect(), 'access_token')
  const url = `${issuer}/v1/credentials`
  const unproven = await fetch(url, { method: 'POST' })
  await unproven.arrayBuffer()
  const claims = {
    ...{ jti: randomUUID(), htm: 'POST', htu: url, nonce: unproven.headers.get('dpop-nonce') },
    ...{ iat: Math.floor(Date.now() / 1000), ath: sha256(token), body_sha256: sha256(body) },
  }
  const dpop = run.key.sign('dpop+jwt', claims, { jwk: run.key.publicJwk })
  return { authorization: `DPoP ${token}`, 'content-type': 'application/json', dpop }
}

/** Each with a proof of its own: one gets the secret, all others the same id. */
async function keyTwice(cast: Cast): Promise<Round> {
  const run = await newRun(cast, cast.kim, REFUNDING)
  if (run === null) return GIVEN_UP
  const { actor, sponsor, consent } = run
  const key = randomUUID()
  const called = {
    op: 'mint',
    actor,
    sponsor,
    key,
    consent,
    asked: sha256(canonical(ASK)),
  } as const
  const outcomes = await copies(() =>
    cast.call(called, async () => ({ ...(await run.client.requestCredential(ASK, key)).body })),
  )
  const ids = outcomes.map(idOf)
  const isOne = ids.every((id) => id !== null && id === ids[0])
  const { outcome, violations } = oneOf(outcomes, 'lost')
  return {
    outcome,
    violations:
      isOne || outcome === 'failed' ? violations : [...violations, `ids: ${ids.join(' ')}`],
  }
}

function idOf(outcome: Outcome): string | null {
  if (outcome.kind === 'lost') return outcome.credential
  return outcome.kind === 'done' ? textIn(outcome.body, 'id') : null
}

async function useTwice(cast: Cast): Promise<Round> {
  const run = await newRun(cast, cast.kim, { ...REFUNDING, max_uses: 1 })
  if (run === null) return GIVEN_UP
  // Under a consent that is used up nobody gets a session, who would be told just that.
  const { actor, sponsor, client } = run
  const opened = await cast.call({ op: 'session', actor, sponsor }, async () => {
    await client.connect()
    return {}
  })
  if (opened.kind !== 'done') return GIVEN_UP
  return oneOf(await copies(() => mint(cast, run, ASK)), 'budget_exhausted')
}

async function approvalTwice(cast: Cast): Promise<Round> {
  const run = await newRun(cast, cast.kim, REFUNDING)
  if (run === null) return GIVEN_UP
  const ask = { ...ASK, arguments: { ...LARGE, order_id: anOrder() } }
  const asked = await mint(cast, run, ask)
  if (asked.kind !== 'done' || !isObject(asked.body['approval'])) return GIVEN_UP
  const approval = textIn(asked.body['approval'], 'id')
  if ((await approve(cast, approval)).kind !== 'done') return GIVEN_UP
  return oneOf(await copies(() => mint(cast, run, { ...ask, approval })), 'approval_consumed')
}

/** One token, spent by a service whose every copy has a key of its own. */
async function leaseTwice(cast: Cast): Promise<Round> {
  const run = await newRun(cast, cast.kim, REFUNDING)
  if (run === null) return GIVEN_UP
  const made = await mint(cast, run, ASK)
  if (made.kind !== 'done' || !isObject(made.body['credential'])) return GIVEN_UP
  const token = textIn(made.body['credential'], 'token')
  const spending = (): JsonObject => ({
    ...{ token, tool: ASK.tool, args_hash: textIn(made.body, 'args_hash') },
    dpop: { proof: proofOf(run, token), htm: 'POST', htu: `${AUDIENCE}/refunds` },
  })
  const outcomes = await copies(() => {
    const key = randomUUID()
    const called = { op: 'redeem', actor: 'payments', sponsor: run.sponsor, key } as const
    return cast.call(called, () => cast.world.service.post('/v1/redemptions', spending(), key))
  })
  return oneOf(outcomes, 'already_redeemed')
}
