/**
 * The house that the lines are tried in: two brokers, started once for each file. A `line` shows that
 * a valid request goes through right before and right after; what was answered in between is held
 * against the database, the target, the counters and the brokers' own health.
 */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { type Adaptor, type Agent, createAdaptor } from './adaptor.ts'
import { Held, repeatedWhereHeld, timeOfLooks } from './held.ts'
import { checkLeaks } from './leaks.ts'
import { checkMinted } from './minted.ts'
import { checkAfter, look, toldBy } from './postconditions.ts'
import { checkRefusal, logLine, type Refusal, signaturesIn } from './refusal.ts'
import { type Answer, exchange, printable, type Sending } from './wire.ts'
import { ISSUER, startTwo, type TwoBrokers, type WorldOptions } from './world.ts'

export interface World extends Adaptor, TwoBrokers {
  readonly issuer: string
  /** Whose requests show that a valid one goes through. */
  readonly agent: Agent
  readonly nonce: () => string
  /** Is refused, and told the newest nonce: what is asked for long may bring none. */
  readonly greet: () => Promise<Answer>
  /** A valid request, from a fresh session: 201. */
  readonly control: (at?: number) => Promise<Answer>
  /** Fails unless it was refused, and so. */
  readonly refused: (answer: Answer | Promise<Answer>, refusal: Refusal) => Promise<Answer>
  /** Fails unless it was answered with this status. */
  readonly accepted: (answer: Answer | Promise<Answer>, status?: number) => Promise<Answer>
  /** Must never be seen in any output or table. */
  readonly secret: (text: string) => void
}

export interface LineOptions {
  readonly timeout?: number
  /** `false` where what happens is not told by answers: connections that break, what is stopped. */
  readonly isCounted?: boolean
  /** What memory may grow by, in MiB: to vet a set of policies takes a thread, and its heap. */
  readonly rssMb?: number
  /** `false` where a broker rightly says that it is not. */
  readonly isReady?: boolean
  /** Where to do it again would be less: what was refused is remembered. */
  readonly isOnce?: boolean
}

/**
 * Starts the brokers of a file before its lines, and reads the whole record after them.
 *
 * @returns `line`, to be used like `it`; its title begins with the ids of the lines it holds
 */
export function twoBrokers(options: WorldOptions = {}) {
  const session = aSession(options.isFlooded)
  beforeAll(async () => {
    await session.begin(options)
  }, HOOK_MS)
  afterAll(async () => {
    await session.end()
  }, HOOK_MS)
  function line(
    title: string,
    work: (w: World) => Promise<void>,
    {
      timeout = 30_000,
      isCounted = true,
      rssMb = 50,
      isReady = true,
      isOnce = false,
    }: LineOptions = {},
  ): void {
    const hold = () => session.hold(work, { isCounted, rssMb, isReady })
    if (isOnce) it(title, { timeout }, hold)
    else it(title, { timeout: timeOfLooks(timeout) }, () => repeatedWhereHeld(hold, timeout))
  }
  return { line }
}

/** Two processes start on a machine that has other things to do. */
const HOOK_MS = 120_000

/** Answers as they come, and what is known of all of them. */
function aSession(isFlooded = false) {
  let world: World | null = null
  const answers: Answer[] = []
  const secrets = new Set<string>()
  const signatures = new Set<string>()

  return {
    async begin(options: WorldOptions): Promise<void> {
      world = await aWorld(await startTwo(options), { answers, secrets, signatures })
    },
    async hold(
      work: (w: World) => Promise<void>,
      how: Required<Omit<LineOptions, 'timeout' | 'isOnce'>>,
    ): Promise<void> {
      if (world === null) throw new Error('the brokers did not start')
      await world.greet()
      await world.control(0)
      const before = await look(world)
      const from = answers.length
      const held = await work(world).then(() => null, heldOrThrown)
      await checkAfter(world, before, { answers: answers.slice(from), ...how })
      if (held !== null) throw held
      await world.greet()
      await world.control(1)
    },
    /** Ends the brokers, which write down what they have counted; then everything is looked through. */
    async end(): Promise<void> {
      if (world === null) return
      const { brokers } = world
      for (const broker of brokers) broker.signal('SIGTERM')
      expect(await Promise.all(brokers.map(({ ended }) => ended))).toEqual([0, 0])
      // Those that could not be recorded at their time are told by what is recorded next.
      const { count, isWhole } = await refusalsOnRecord(world)
      // An address that is on no face is counted by the meter, and on record by nobody.
      const onFace = answers.filter(({ sent }) => /^\/(v1|oauth|access)\//.test(sent.path))
      const told = onFace.reduce((sum, it) => sum + (toldBy(it).refusal ?? 0), 0)
      if (isFlooded || !isWhole)
        expect(count, '[G3] refusals on record').toBeGreaterThanOrEqual(told)
      else expect(count, '[G3] refusals on record').toBe(told)
      expect(await verified(world), '[G3] the whole ledger').toMatchObject({ ok: true })
      expect(await checkMinted(world), 'what was allowed').toBeGreaterThan(0)
      await checkLeaks(world, secrets, signatures)
    },
  }
}

interface Seen {
  readonly answers: Answer[]
  readonly secrets: Set<string>
  readonly signatures: Set<string>
}

async function aWorld(two: TwoBrokers, seen: Seen): Promise<World> {
  let nonce = ''
  async function send(sending: Sending, at = 0): Promise<Answer> {
    const { port = 0 } = two.brokers[at] ?? {}
    const answer = await exchange(port, sending, at)
    nonce = answer.headers.get('dpop-nonce') ?? nonce
    seen.answers.push(answer)
    for (const text of signaturesIn(answer)) seen.signatures.add(text)
    return answer
  }
  const adaptor = createAdaptor({ issuer: ISSUER, keys: two.keys, send, nonce: () => nonce })
  const greet = () => send({ method: 'POST', path: '/v1/credentials', headers: [['DPoP', 'x']] })
  await greet()
  const agent = await adaptor.anAgent()
  const accepted: World['accepted'] = async (answered, status = 201) => {
    const answer = await answered
    expect(answer.status, printable(answer)).toBe(status)
    return answer
  }
  return {
    ...{ ...two, ...adaptor, issuer: ISSUER, agent, nonce: () => nonce, accepted, greet },
    refused: async (answered, refusal) => {
      const answer = await answered
      checkRefusal(answer, refusal)
      if (refusal.log !== undefined) {
        const stderr = two.brokers[answer.at]?.stderr ?? (() => '')
        expect((await logLine(answer, stderr))['reason'], 'log').toBe(refusal.log)
      }
      return answer
    },
    control: (at = 0) => accepted(adaptor.CR(agent, { at })),
    secret: (text) => seen.secrets.add(text),
  }
}

function heldOrThrown(error: unknown): Held {
  if (error instanceof Held) return error
  throw error
}

/**
 * What could not be recorded at its time is told as a number by what is recorded next, and may be there
 * twice: nobody knew whether it was recorded.
 */
async function refusalsOnRecord({ brokers, database }: TwoBrokers) {
  const isWhole = !brokers.some(({ stderr }) => stderr().includes('refusals could not be recorded'))
  if (!isWhole) process.stdout.write('  refusals could not be recorded at their time\n')
  const types = isWhole ? ['refusals'] : ['refusals', 'outage']
  const [row] = await database.query<{ n: number }>(
    `select coalesce(sum((entry::jsonb -> 'refusals' ->> 'count')::int), 0)::int as n
     from ledger.leaf where event_type = any($1::text[])`,
    [types],
  )
  return { count: row?.n ?? 0, isWhole }
}

async function verified({ database, home }: TwoBrokers) {
  const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
  const vkey = vkeyOf(`${new URL(ISSUER).host}/v1/ledger`, key)
  return await verifyLedger(fromDatabase(database.pool('procura_verify'), 'main'), {
    vkeys: [vkey],
  })
}
