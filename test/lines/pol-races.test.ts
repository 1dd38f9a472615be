/** What changes while a request is under way: the set in force, and what the request rests on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { digestOf } from '../../src/domain/digest.ts'
import { isObject, type Json, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { loadGrammar } from '../../src/policy/grammar.ts'
import { createReplay } from '../../src/policy/replay.ts'
import { eventually, REFUND } from '../scenario/house.ts'
import { tally } from '../attack/two-brokers.ts'
import { type Agent, BODY } from './adaptor.ts'
import { twoBrokers, type World } from './house.ts'
import { approved, published, PUBLISHING, setAt } from './publishing.ts'
import type { Answer } from './wire.ts'

const folder = mkdtempSync(join(tmpdir(), 'procura-hold-'))
const hold = join(folder, 'hold')
afterAll(() => {
  rmSync(folder, { recursive: true })
})
const preloaded = ['meter.ts', 'hold-redemption.ts']
  .map((file) => `--import ${pathToFileURL(join(import.meta.dirname, file)).href}`)
  .join(' ')
const { line } = twoBrokers({ env: { NODE_OPTIONS: preloaded, PROCURA_TEST_HOLD: hold } })

const CLOSED = `@id("closed-for-now") @say("closed") forbid (principal, action == Action::"payments.refund", resource);`
const OPEN = `@id("open-as-ever") @say("x") forbid (principal, action == Action::"payments.refund", resource) when { context.facts.amount_minor == 4711 };`
const [CALLERS, B_POL_MS] = [6, 2000]
/** A lease that fails before it begins is there, and no answer tells of it. */
const UNCOUNTED = { ...PUBLISHING, isCounted: false }

interface Leaf {
  readonly seq: number
  readonly type: string
  readonly record: JsonObject
}
async function leavesOf({ database }: World, types: readonly string[]): Promise<Leaf[]> {
  const rows = await database.query<{ index: number; type: string; entry: string }>(
    `select index, event_type as type, entry from ledger.leaf
     where event_type = any($1::text[]) order by index`,
    [types],
  )
  return rows.map(({ index, type, entry }) => ({
    seq: index,
    type,
    record: object(parseTrusted(entry)),
  }))
}
const textOr = (value: Json | undefined) => (typeof value === 'string' ? value : 'undefined')
const object = (value: unknown): JsonObject =>
  isObject(value as JsonObject) ? (value as JsonObject) : {}
const decisionIn = ({ record }: Leaf) => object(record['decision'])
const timeOf = ({ record }: Leaf) => Date.parse(textIn(record, 'recorded_at'))

describe('a set that comes into force', () => {
  line(
    '[POL-11] [AC-08] decides everywhere within two seconds, and each decision cites one set',
    async (w) => {
      // The cases beside the policies expect refunds, and a set that answers otherwise is refused.
      const cases = await published(w, 'payments.test.yaml', '[]')
      const [from, v1] = [(await leavesOf(w, ['decision'])).length, await setAt(w, 0)]
      const agents = await Promise.all(Array.from({ length: CALLERS }, () => w.anAgent()))
      const end = new AbortController()
      const answers: Answer[] = []
      const calling = agents.map(async (agent, n) => {
        const st = await w.ST(agent)
        while (!end.signal.aborted) answers.push(await w.CR(agent, { st, at: n % 2 }))
      })
      try {
        await published(w, 'closed.cedar', CLOSED)
        const refusals = () => answers.filter(({ status }) => status === 403).length
        await eventually('more of them', () => Promise.resolve(refusals() > 40), 30)
      } finally {
        end.abort()
      }
      await Promise.all(calling)
      const v2 = await setAt(w, 0)
      await published(w, 'closed.cedar', null)
      await published(w, 'payments.test.yaml', cases)

      const told = tally(
        answers.map(({ status, body }) => `${String(status)} ${textOr(body['code'])}`),
      )
      expect(['201 undefined', '403 access_denied', '409 decision_stale']).toEqual(
        expect.arrayContaining(Object.keys(told)),
      )
      expect(told['201 undefined']).toBeGreaterThan(0)

      const change = (await leavesOf(w, ['admin_change'])).findLast(
        ({ record }) => object(record['change'])['after_hash'] === v2,
      )
      const decisions = (await leavesOf(w, ['decision'])).slice(from)
      const sets = new Set(
        decisions.map(
          (it) =>
            `${JSON.stringify(decisionIn(it)['policy_epoch'])} ${textOr(decisionIn(it)['policy_set_hash'])}`,
        ),
      )
      expect(sets.size).toBeLessThanOrEqual(3)
      if (change === undefined) throw new Error('the change is not on record')
      const byOld = decisions.filter(
        (it) => decisionIn(it)['policy_set_hash'] === v1 && it.seq > change.seq,
      )
      const before = (it: Leaf) =>
        decisionIn(it)['policy_epoch'] === Number(epochOf(decisions, v2)) - 1
      const late = byOld.filter(before)
      expect(
        late.filter((it) => timeOf(it) > timeOf(change) + B_POL_MS),
        'decided too late by the old set',
      ).toEqual([])
      expect(
        late.filter((it) => decisionIn(it)['answer'] === 'allow'),
        'allowed by a set that was replaced',
      ).toEqual([])
    },
    UNCOUNTED,
  )
})

const epochOf = (decisions: readonly Leaf[], hash: string) =>
  decisions.map(decisionIn).find((it) => it['policy_set_hash'] === hash)?.['policy_epoch']

describe('between a decision and its redemption', () => {
  const LARGE = { ...BODY, arguments: { ...REFUND, amount: 20_000 } }

  /** Asks, does this while the decision is on record and not redeemed, and lets it go on. */
  async function meanwhile(w: World, agent: Agent, body: JsonObject, work: () => Promise<unknown>) {
    const st = await w.ST(agent)
    const before = await used(w, agent)
    writeFileSync(hold, '')
    const answer = w.CR(agent, { body, st })
    await eventually('its decision', async () => (await used(w, agent)) === before + 1)
    try {
      await work()
    } finally {
      rmSync(hold)
    }
    return await answer
  }
  async function used({ database }: World, { consent }: Agent): Promise<number> {
    const [row] = await database.query<{ used: number }>(
      `select used::int as used from procura.budget where account = $1 and key = 'calls'`,
      [consent],
    )
    return row?.used ?? 0
  }
  async function alive({ database }: World, { consent }: Agent): Promise<number> {
    const [row] = await database.query<{ n: number }>(
      `select count(*)::int as n from procura.lease where consent = $1 and state in ('minting', 'active')`,
      [consent],
    )
    return row?.n ?? 0
  }

  line(
    '[POL-12] another set: it is stale, nothing is delivered, and all is given back',
    async (w) => {
      const agent = await w.anAgent()
      const approval = await approved(w, agent, LARGE)
      const body = { ...LARGE, approval }
      const [spent, set] = [await used(w, agent), () => published(w, 'other.cedar', OPEN)]
      const told = await meanwhile(w, agent, body, set)
      await w.refused(told, { status: 409, code: 'decision_stale', reason: 'policy_epoch' })
      expect(await used(w, agent)).toBe(spent)
      expect(await alive(w, agent)).toBe(0)
      await w.accepted(w.CR(agent, { body }), 201) // the same yes
      await published(w, 'other.cedar', null)
    },
    UNCOUNTED,
  )

  line(
    '[POL-12] a stop on its path: it is revoked, nothing is delivered, and all is given back',
    async (w) => {
      for (const stopped of ['consents', 'agents'] as const) {
        const agent = await w.anAgent()
        const id = stopped === 'consents' ? agent.consent : agent.id
        const spent = await used(w, agent)
        const stop = () =>
          w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/${stopped}/${id}`), 200)
        const told = await meanwhile(w, agent, BODY, stop)
        await w.refused(told, { status: 403, code: 'chain_invalid' })
        expect(told.body).toMatchObject({ outcome: 'revoked' })
        expect(await used(w, agent)).toBe(spent)
        expect(await alive(w, agent)).toBe(0)
      }
    },
    UNCOUNTED,
  )

  line(
    '[POL-12] a stop elsewhere: it is delivered',
    async (w) => {
      const [agent, other] = [await w.anAgent(), await w.anAgent()]
      const stop = () =>
        w.accepted(w.asBearer(w.PT('kim'), 'DELETE', `/v1/consents/${other.consent}`), 200)
      await w.accepted(meanwhile(w, agent, BODY, stop), 201)
      expect(await alive(w, agent)).toBe(1)
    },
    UNCOUNTED,
  )
})

describe('what is on record', () => {
  line(
    '[POL-17] [I13] [AC-04] is decided again as it was, by Cedar alone, from what was kept',
    async (w) => {
      const pool = w.database.pool('procura_pdp')
      const parse = await loadGrammar()
      const replay = createReplay({ tenant: 'main', pool, parse, current: () => null })
      const bySet = (it: Leaf) => textIn(decisionIn(it), 'policy_set_hash')
      const all = (await leavesOf(w, ['decision'])).sort((one, other) =>
        bySet(one) < bySet(other) ? -1 : 1,
      )
      expect(all.length).toBeGreaterThan(60)
      const auditor = w.PT('cleo')
      let last: { snapshot: JsonObject; again: string } | null = null
      for (const leaf of all) {
        const decision = decisionIn(leaf)
        const { body } = await w.asBearer(auditor, 'GET', `/v1/decisions/${textIn(decision, 'id')}`)
        const snapshot = object(body['snapshot'])
        expect(digestOf(snapshot)).toBe(decision['context_hash'])
        const evaluation = await replay(snapshot)
        expect(toldBy(evaluation), JSON.stringify(decision)).toEqual(toldOn(leaf))
        last = { snapshot, again: JSON.stringify(evaluation) }
      }
      for (let n = 0; n < 1000; n += 1) {
        expect(JSON.stringify(await replay(last?.snapshot ?? {}))).toBe(last?.again)
      }
    },
    PUBLISHING,
  )
})

type Evaluation = Awaited<ReturnType<ReturnType<typeof createReplay>>>

/** Answer, level and rules. What was stopped after it had been allowed, was allowed. */
function toldBy({ answer, level }: Evaluation) {
  const code = 'code' in answer ? answer.code : undefined
  return { answer: answer.kind, code, level, rules: answer.rules.map(({ id }) => id).sort() }
}
function toldOn(leaf: Leaf): ReturnType<typeof toldBy> {
  const { answer, code, level, policies } = decisionIn(leaf)
  const rules = (Array.isArray(policies) ? policies : [])
    .map((it) => textIn(object(it), 'id'))
    .sort()
  const refusal = answer === 'deny' || answer === 'none' ? code : undefined
  return { answer, code: refusal, level, rules } as ReturnType<typeof toldBy>
}
