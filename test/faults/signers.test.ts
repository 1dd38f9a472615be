/** Two brokers sign one log, and one of them dies where it has signed and not stored, or stored and not witnessed. */
import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { isObject, parseTrusted } from '../../src/domain/json.ts'
import { openCheckpoint, vkeyOf } from '../../src/ledger/checkpoint.ts'
import { type Balancer, startBalancer } from '../scenario/balancer.ts'
import { startBroker } from '../scenario/broker.ts'
import { expectSound } from './audit.ts'
import { ASK, type Call, one } from './load.ts'
import { aFaultWorld, agentsAt, type FaultWorld } from './world.ts'

const POINTS = join(import.meta.dirname, '..', '..', 'hammer', 'points.ts')
/** Passed as it is signed and about to be stored; as it is stored; as the file outside is about to be synced. */
const DEATHS = ['FP15:kill:1', 'FP15:kill:2', 'FP15:kill:3']

let world: FaultWorld
let balancer: Balancer
beforeAll(async () => {
  const made = await aFaultWorld()
  balancer = await startBalancer()
  world = { ...made, env: { ...made.env, PROCURA_ISSUER: balancer.origin } }
})

const fileOf = (name: string) => join(world.home.dataDir, `seen-by-${name}`)

function witnessed(name: string): string[] {
  const file = fileOf(name)
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return lines.flatMap((line) => {
    const isWhole = line.startsWith('{') && line.endsWith('}')
    const told = isWhole ? parseTrusted(line) : null
    const note = isObject(told) ? told['checkpoint'] : null
    return typeof note === 'string' ? [note] : []
  })
}

it('[F71] no two checkpoints of one size ever leave them, and both files say what the log says', async () => {
  const healthy = await startBroker({ ...world.env, PROCURA_CHECKPOINTS: fileOf('one') })
  balancer.to(healthy.port)
  const { kim } = await agentsAt(world.home, balancer.origin)
  const calls: Call[] = []
  for (const fault of DEATHS) {
    const dying = startBroker({
      ...{ ...world.env, PROCURA_CHECKPOINTS: fileOf('other'), PROCURA_FAULT: fault },
      NODE_OPTIONS: `--import=${POINTS}`,
    }).then(
      ({ ended }) => ended,
      () => null, // It died before it was ready: at its start it signs as well.
    )
    const over = new AbortController()
    const death = dying.finally(() => {
      over.abort()
    })
    while (!over.signal.aborted) calls.push(await one(kim, ASK.refund))
    expect(await death, fault).toBe(null)
  }
  const other = await startBroker({ ...world.env, PROCURA_CHECKPOINTS: fileOf('other') })
  calls.push(await one(kim, ASK.refund))

  for (const broker of [healthy, other]) broker.signal('SIGTERM')
  expect(await Promise.all([healthy.ended, other.ended])).toEqual([0, 0])
  const notes = await stored()
  const key = createPublicKey(readFileSync(join(world.home.keysDir, 'ledger.key'), 'utf8'))
  const vkeys = [vkeyOf(`${new URL(balancer.origin).host}/v1/ledger`, key)]
  const all = new Set([...notes, ...witnessed('one'), ...witnessed('other')])
  const sizes = [...all].map((note) => openCheckpoint(note, vkeys).size)
  expect(new Set(sizes).size, 'one note a size, wherever it stands').toBe(all.size)
  expect(all.size, 'none outside that the log does not have').toBe(notes.length)
  expect(witnessed('other').length, 'the dying one signed, too').toBeGreaterThan(1)
  await expectSound(world, balancer.origin, calls)
}, 180_000)

async function stored(): Promise<string[]> {
  const rows = await world.postgres.query<{ note: string }>(
    'select note from ledger.checkpoint order by size',
  )
  return rows.map(({ note }) => note)
}
