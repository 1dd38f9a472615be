/**
 * Every connector that makes something at its target × everything that goes wrong on the way there: nothing
 * that works is left, nothing is left that is not on record, and what is unknown is no success and no denial.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCdp } from '../../src/delivery/cdp.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import { createTargets, type Targets } from '../../src/delivery/targets.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { NOTHING_TO_SEAL } from '../../src/ledger/sealed.ts'
import { anAwsTarget, fill, storedKeys } from '../delivery/aws-rgw.ts'
import { toRead } from '../delivery/aws-target.ts'
import { aCollector, aDecision, aSigner, HOUSE, ISSUER } from '../delivery/bench.ts'
import { aPostgresTarget } from '../delivery/postgres-target.ts'
import { leaves, stateOf, stop } from '../delivery/world.ts'
import { type Gate, startGate, type Way } from '../fakes/gate.ts'
import { startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { aTestServer } from '../parts/vault.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

interface Subject {
  readonly gate: Gate
  readonly settings: object
  readonly secret: string
  readonly permissions: JsonObject
  /** Whether anything of this name may still be used there. */
  readonly isAlive: (name: string) => Promise<boolean>
  readonly stop: () => Promise<void>
}

const CONNECTORS: readonly (readonly [name: string, start: () => Promise<Subject>])[] = [
  ['postgres', startPostgres],
  ['vault', startVault],
  ...(whyNoCephRgw === null ? [['aws-sts', startAws] as const] : []),
]

/** Octets that arrive before the answers stop: in the handshake, between the calls, at the last one. */
const CUTS = [0, 300, 700, 1100, 1600, 2400]
const CELLS: readonly (readonly [name: string, way: Way, cut: number])[] = [
  ...(['refused', 'silent', 'late', 'nonsense', 'twice'] as const).map(
    (way) => [way, way, 0] as const,
  ),
  ...CUTS.map((cut) => [`cut after ${String(cut)}`, 'cut', cut] as const),
]
const told = new Map<string, string>()
const NAMES = CONNECTORS.map(([name]) => name)

afterAll(() => {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const lines = CELLS.map(([name]) =>
    row([name, ...NAMES.map((of) => told.get(`${of} ${name}`) ?? '–')]),
  )
  const why = whyNoCephRgw === null ? '' : `\nnot run: aws-sts: ${whyNoCephRgw}`
  process.stdout.write(`\n${[row(['way', ...NAMES]), ...lines].join('\n')}${why}\n`)
})

describe.each(CONNECTORS)('%s', (connector, start) => {
  let subject: Subject
  let db: TestDatabase
  beforeAll(async () => {
    db = await freshDatabase()
    await db.query(`insert into procura.epoch values ('main', 'policy', 1)`)
    subject = await start()
  }, 120_000)
  afterAll(async () => {
    await subject.stop()
  })

  it.each(CELLS)(
    '[F49] %s: nothing works that is not on record, and nothing at all in the end',
    async (name, way, cut) => {
      const world = aWorld(db, connector, subject)
      subject.gate.cutAfter(cut)
      await subject.gate.set(way)
      const { lease, downstreamName, outcome } = await world.issue()
      await subject.gate.set('open')
      told.set(`${connector} ${name}`, outcome)

      // Either it was handed out, and ends as any other; or nobody has it, and it ends by itself.
      if (outcome === 'issued') await stop(db, 'credential', lease, 1)
      else expect(outcome).toMatch(/^downstream_(failed|timeout)$/)
      await world.sweepUntil(async () => !OPEN.includes((await stateOf(db, lease))?.state ?? ''))
      expect(await subject.isAlive(downstreamName)).toBe(false)
      // Traces that open nothing may be left: one look finds them, and then there are none.
      await world.orphans()
      expect(await world.orphans()).toEqual([])

      const record = (await leaves(db)).filter((leaf) => JSON.stringify(leaf).includes(lease))
      const types = record.map(({ event_type }) => event_type)
      if (outcome === 'issued') expect(types).toEqual(['issuance', 'remediation'])
      else expect(types).toEqual(['issuance_failed'])
    },
    60_000,
  )
})

const OPEN = ['minting', 'active', 'revoke_pending']

/** The delivering side of one broker, with this one target. */
function aWorld(db: TestDatabase, connector: string, { settings, secret, permissions }: Subject) {
  const [decisions, collector] = [aSigner(), aCollector()]
  const sealed = new Secret(secret)
  const secrets = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(sealed) }
  const kinds = createConnectors({ credentials: aSigner(), secrets, owner: ISSUER, ...HOUSE })
  const targets: Targets = createTargets(kinds, { orders: { connector, ...settings } })
  const sideOf = (role: 'procura_cdp' | 'procura_reaper') => {
    const pool = db.pool(role)
    const common = { tenant: 'main', pool, targets }
    const door = 'append_issued'
    return { ...common, ledger: createLog({ ...common, door, sealer: NOTHING_TO_SEAL }) }
  }
  const side = sideOf('procura_cdp')
  const cdp = createCdp({ ...side, decisions })
  const sweeper = createSweeper(sideOf('procura_reaper'))
  let later = 0

  return {
    /** As the story has it; what became of it, in a word. */
    async issue() {
      const of = { target: 'orders', connector, permissions, sender_constraint: 'none' }
      const signed = aDecision(decisions, collector.jkt, of)
      const intent = await cdp.redeem(signed, collector.presented)
      const { lease, downstreamName } = intent
      try {
        const made = await cdp.mint(intent)
        await side.ledger.record(null, async (tx) => {
          const value = await cdp.activate(tx, intent, made)
          return { entries: [cdp.issuance(intent, made, collector.presented)], value, answer: null }
        })
        return { lease, downstreamName, outcome: 'issued' }
      } catch (cause) {
        await cdp.takeBack(intent, cause)
        if (!(cause instanceof BrokerError)) throw cause
        return { lease, downstreamName, outcome: cause.code }
      }
    },
    /** Time passes for the sweeper, a quarter of a minute each time. */
    async sweepUntil(isOver: () => Promise<boolean>): Promise<void> {
      for (let round = 0; round < 40; round += 1) {
        await sweeper.sweepOnce(round === 0 ? undefined : new Date(Date.now() + later))
        if (await isOver()) return
        later += 15_000
      }
      throw new Error('it never ended')
    },
    orphans: () => sweeper.reconcile('orders'),
  }
}

async function startPostgres(): Promise<Subject> {
  const at = await aPostgresTarget()
  const gate = await startGate(at.settings.port)
  return {
    ...{ gate, settings: { ...at.settings, port: gate.port }, secret: at.password.reveal() },
    ...{ permissions: at.permissions, isAlive: at.has, stop: () => gate.stop() },
  }
}

async function startVault(): Promise<Subject> {
  const { server, part } = await aTestServer()
  const { settings, secret } = part
  const gate = await startGate(Number(new URL(settings.address).port))
  const address = `http://127.0.0.1:${String(gate.port)}`
  return {
    ...{ gate, settings: { ...settings, address }, secret: secret.reveal() },
    permissions: { path: 'database/creds/orders', method: 'read', data: {}, wrap: false },
    isAlive: (name) => {
      const { tokens, logins } = server.state
      const isItsOwn = [...tokens.values()].some(({ path }) => path.includes(name))
      return Promise.resolve(isItsOwn || logins.size > 0)
    },
    async stop() {
      await gate.stop()
      await part.close()
    },
  }
}

/** Sessions have no names to ask for. What may be alive stands denied in the role, or is not denied. */
async function startAws(): Promise<Subject> {
  const rgw = await startCephRgw()
  const at = await anAwsTarget(rgw)
  await fill(at.owner, ['7/a'])
  const gate = await startGate(Number(new URL(rgw.endpoint).port))
  const endpoint = `http://127.0.0.1:${String(gate.port)}`
  return {
    ...{ gate, settings: { ...at.settings, endpoint }, secret: storedKeys(rgw.admin) },
    ...{ permissions: toRead('7'), isAlive: () => Promise.resolve(false) },
    async stop() {
      await gate.stop()
      await rgw.end()
    },
  }
}
