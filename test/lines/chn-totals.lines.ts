/** Running totals down a chain: siblings share what stands above them, on any replica. */
import { randomUUID } from 'node:crypto'
import { expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { REFUND } from '../scenario/house.ts'
import { type Agent, memberOf, needed } from './adaptor.ts'
import { chainsOf, type Held } from './chains.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import type { Answer, HeaderLine } from './wire.ts'

const AMOUNT = 'payments.refund#args.amount'
const LONG = { timeout: 120_000, isCounted: false }
const refund = (amount: number): JsonObject => ({
  ...{ tool: 'payments.refund', arguments: { ...REFUND, amount } },
})
const spent = (answers: readonly Answer[]) => answers.filter(({ status }) => status === 201)

/** Whoever was not served was told which account is empty; nothing else may have stopped them. */
function checkTheRest(answers: readonly Answer[], account: string): void {
  for (const { status, body, text } of answers) {
    if (status === 201) continue
    expect(body, text).toMatchObject({ status: 403, code: 'budget_exhausted', budget: { account } })
  }
}

async function workers(w: World, root: Held, count: number, bounds: JsonObject[] = []) {
  const chains = chainsOf(w)
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const agent = await w.anAgent()
      const held = chains.hop(root, agent, { constraints: bounds as never })
      return { agent, held, st: await chains.subSession(agent, held) }
    }),
  )
}

/**
 * All at once, over both replicas, by whoever it is each time. What could not be done then is asked for
 * again, as the same request: nothing is spent on it twice.
 */
async function calls(
  w: World,
  who: readonly { readonly agent: Agent; readonly st: string }[],
  { count, body }: { readonly count: number; readonly body: JsonObject },
): Promise<Answer[]> {
  const asked = Array.from({ length: count }, (_, n) => {
    const one = who[n % who.length]
    if (one === undefined) throw new Error('nobody to ask')
    const at = Math.floor(n / who.length) % 2
    const headers: HeaderLine[] = [['Idempotency-Key', randomUUID()]]
    return needed(() => w.CR(one.agent, { st: one.st, at, body, headers }))
  })
  return await Promise.all(asked)
}

async function totals(w: World, account: string) {
  return await w.database.query<{ key: string; type: string; used: number; recorded: number }>(
    `select b.key, b.type, b.used::int, coalesce((
       select sum((debit ->> 'debited')::int) from ledger.leaf l,
         jsonb_array_elements(l.entry::jsonb -> 'budgets') debit
       where l.event_type = 'decision' and debit ->> 'account' = b.account
         and debit ->> 'key' = b.key and debit ->> 'type' = b.type), 0)::int as recorded
     from procura.budget b where b.account = $1 order by 1, 2`,
    [account],
  )
}

line(
  '[CHN-28] of a hundred at once for one last use, one gets it',
  async (w) => {
    const { aDelegator, hop, subSession, DG } = chainsOf(w)
    const { agent, root } = await aDelegator()
    const worker = await w.anAgent()
    const held = hop(root, worker, { constraints: [{ key: 'calls', max_subtree: 1 }] })
    const registered = await w.accepted(DG(agent, held))
    const who = [{ agent: worker, st: await subSession(worker, held) }]
    const answers = await calls(w, who, { count: 100, body: refund(1) })
    expect(spent(answers)).toHaveLength(1)
    checkTheRest(answers, memberOf(registered, 'id'))
  },
  LONG,
)

line(
  '[CHN-29] ten times twenty out of a hundred is five times, and the record adds up',
  async (w) => {
    const { aDelegator } = chainsOf(w)
    const { agent, root } = await aDelegator({ constraints: [{ key: AMOUNT, max_subtree: 100 }] })
    const who = await workers(w, root, 2)
    const answers = await calls(w, who, { count: 10, body: refund(20) })
    expect(spent(answers)).toHaveLength(5)
    checkTheRest(answers, agent.consent)
    expect(await totals(w, agent.consent)).toContainEqual({
      ...{ key: AMOUNT, type: 'max_subtree', used: 100, recorded: 100 },
    })
  },
  LONG,
)

line(
  'a hundred calls of ten siblings over two replicas: not one too many, none lost',
  async (w) => {
    const { aDelegator, hop, DG } = chainsOf(w)
    const { agent, root } = await aDelegator()
    const middle = await w.anAgent()
    const team = hop(root, middle, { constraints: [{ key: 'calls', max_subtree: 37 }] })
    const registered = await w.accepted(DG(agent, team))
    const who = await workers(w, team, 10)
    const answers = await calls(w, who, { count: 100, body: refund(1) })
    expect(spent(answers)).toHaveLength(37)
    checkTheRest(answers, memberOf(registered, 'id'))
    for (const account of [memberOf(registered, 'id'), agent.consent]) {
      expect(await totals(w, account)).toEqual([
        { key: 'calls', type: 'max_subtree', used: 37, recorded: 37 },
      ])
    }
  },
  LONG,
)

line(
  '[CHN-36] three roots of one consent add up to the consent',
  async (w) => {
    const { aDelegator, aRoot } = chainsOf(w)
    const { agent, root } = await aDelegator({ max_uses: 10 })
    const roots = [root, await aRoot(agent), await aRoot(agent)]
    const who = (await Promise.all(roots.map((one) => workers(w, one, 1)))).flat()
    const answers = await calls(w, who, { count: 30, body: refund(1) })
    expect(spent(answers)).toHaveLength(10)
    checkTheRest(answers, agent.consent)
  },
  LONG,
)

line(
  'a lifetime is that of each hop, inherited or stated; a hop signed again starts anew under its parent',
  async (w) => {
    const { aDelegator, hop, subSession } = chainsOf(w)
    const { root } = await aDelegator()
    const middle = await w.anAgent()
    const bounds = [
      { key: 'calls', max_lifetime: 2 },
      { key: 'calls', max_subtree: 5 },
    ] as const
    const held = hop(root, middle, { constraints: bounds })
    const leaf = await w.anAgent()
    const under = hop(held, leaf)
    for (const [agent, chain, left] of [
      [leaf, under, 2],
      [middle, held, 2],
      [leaf, hop(held, leaf), 1],
    ] as const) {
      const who = [{ agent, st: await subSession(agent, chain) }]
      const answers = await calls(w, who, { count: 4, body: refund(1) })
      expect(spent(answers), `${String(left)} left`).toHaveLength(left)
    }
  },
  LONG,
)

line(
  '[TOK-05] a session below a hop may be narrower, with totals of its own, and never wider',
  async (w) => {
    const { aDelegator, hop, TX } = chainsOf(w)
    const { root } = await aDelegator()
    const worker = await w.anAgent()
    const held = hop(root, worker, { constraints: [{ key: 'calls', max_subtree: 3 }] })
    const asking = (bound: number) => ({
      form: {
        authorization_details: JSON.stringify([
          {
            ...{ type: 'agent_delegation', scopes: ['payments.refund'] },
            constraints: [{ key: 'calls', max_subtree: bound }],
          },
        ]),
      },
    })
    await w.refused(TX(worker, held, asking(4)), {
      ...{ status: 400, code: 'invalid_authorization_details', outcome: 'not_narrower' },
    })
    const opened = await w.accepted(TX(worker, held, asking(2)), 200)
    const who = [{ agent: worker, st: memberOf(opened, 'access_token') }]
    expect(spent(await calls(w, who, { count: 4, body: refund(1) }))).toHaveLength(2)
    const renewed = [{ agent: worker, st: memberOf(await TX(worker, held), 'access_token') }]
    expect(spent(await calls(w, renewed, { count: 4, body: refund(1) }))).toHaveLength(1)
  },
  LONG,
)
