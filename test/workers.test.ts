/** The primary of several workers, with processes that are ready, and end, when they are told. */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { startWorkers } from '../src/workers.ts'

const UNHINDERED = {
  exec: join(import.meta.dirname, 'fakes', 'worker.ts'),
  ...{ args: [], execArgv: [], cwd: import.meta.dirname },
}
/** What the system makes no process of. */
const HINDRANCES = [
  { how: 'at once', by: { args: ['x'.repeat(4_000_000)] }, told: 'spawn E2BIG' },
  { how: 'by an error that no exit follows', by: { cwd: '/nowhere' }, told: 'ENOENT' },
]

let forked: Worker[] = []
let said: string[] = []
const remember = (worker: Worker) => forked.push(worker)
cluster.on('fork', remember)
beforeEach(() => {
  ;[forked, said] = [[], []]
  cluster.setupPrimary(UNHINDERED)
})
afterAll(() => cluster.off('fork', remember))

const aCrew = (count: number) => startWorkers({ count, env: {}, say: (text) => said.push(text) })
const living = () => forked.filter((worker) => worker.isConnected() && !worker.isDead())

/** The nth that was made a process, from 1. */
async function fork(nth: number): Promise<Worker> {
  const processes = () => forked.filter(({ process: { pid } }) => pid !== undefined)
  await expect.poll(() => processes().length).toBeGreaterThanOrEqual(nth)
  return processes()[nth - 1] as Worker
}

async function beReady(nth: number): Promise<Worker> {
  const worker = await fork(nth)
  worker.send('be ready')
  return worker
}

async function kill(worker: Worker): Promise<void> {
  const gone = once(worker, 'exit')
  worker.process.kill('SIGKILL')
  await gone
}

describe('a crew', () => {
  it('is whole again where one ends that was ready before the others were', async () => {
    const starting = aCrew(2)
    const first = await beReady(1)
    await fork(2)
    await kill(first)
    await beReady(2)
    const crew = await starting
    expect(await fork(3)).toSatisfy((worker: Worker) => living().includes(worker))
    expect(said).toEqual(['worker     1 ended (SIGKILL), another takes its place'])
    await crew.stop()
    expect(living()).toEqual([])
  })

  it('tells with what one ended by itself', async () => {
    const starting = aCrew(1)
    const first = await beReady(1)
    const crew = await starting
    first.send(3)
    await once(first, 'exit')
    await fork(2)
    expect(said).toEqual(['worker     1 ended (3), another takes its place'])
    await crew.stop()
  })

  it.each(HINDRANCES)(
    'is whole again as soon as it can be, where none can be made and that is told $how',
    async ({ by, told }) => {
      const starting = aCrew(1)
      const first = await beReady(1)
      const crew = await starting
      cluster.setupPrimary(by)
      await kill(first)
      // Twice, so that it was tried again in vain.
      await expect.poll(() => said.filter((text) => text.includes(told)).length).toBeGreaterThan(1)
      expect(said[1]).toMatch(/^worker {5}1 was not started \(.*\), it is tried again$/)
      cluster.setupPrimary(UNHINDERED)
      await fork(2)
      expect(living()).toHaveLength(1)
      await crew.stop()
      expect(living()).toEqual([])
    },
  )

  it.each(HINDRANCES)(
    'does not start where none can be made and that is told $how, says why, and leaves none',
    async ({ by, told }) => {
      const starting = aCrew(3)
      const first = await fork(1)
      cluster.setupPrimary(by)
      first.send('be ready')
      await expect(starting).rejects.toThrow(told)
      expect(living()).toEqual([])
      expect(said).toEqual([])
    },
  )
})
