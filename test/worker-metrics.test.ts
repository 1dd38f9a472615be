import { beforeEach, describe, expect, it } from 'vitest'
import { createGathering, merged, type ToWorker } from '../src/worker-metrics.ts'

const one = ['# HELP a_total How many', '# TYPE a_total counter', 'a_total 3', '']
const two = [
  ...['# HELP a_total How many', '# TYPE a_total counter', 'a_total{of="}{"} 4', 'a_total 1'],
  ...['# HELP up It runs', '# TYPE up gauge', 'up 1', ''],
]

describe('what several workers have counted', () => {
  it('stands together under each name, with the worker that counted it', () => {
    const text = merged([
      { slot: 1, text: [...one, ...two.slice(4)].join('\n') },
      { slot: 2, text: two.join('\n') },
    ])
    expect(text.split('\n')).toEqual([
      ...['# HELP a_total How many', '# TYPE a_total counter', 'a_total{worker="1"} 3'],
      ...['a_total{worker="2",of="}{"} 4', 'a_total{worker="2"} 1'],
      ...['# HELP up It runs', '# TYPE up gauge', 'up{worker="1"} 1', 'up{worker="2"} 1', ''],
    ])
  })

  it('says nothing of a worker that did not answer', () => {
    const text = merged([
      { slot: 1, text: '' },
      { slot: 2, text: one.join('\n') },
    ])
    expect(text).not.toContain('worker="1"')
    expect(text).toContain('a_total{worker="2"} 3')
  })
})

/** A worker that counts how often it is asked, and answers when it is told to. */
function aWorker(count: number) {
  const asked: number[] = []
  return {
    asked,
    counted: ['# TYPE a_total counter', `a_total ${String(count)}`, ''].join('\n'),
    isConnected: () => true,
    send(message: ToWorker) {
      asked.push(message.id)
      return true
    },
  }
}

describe('a gathering', () => {
  let now: number
  let workers: ReturnType<typeof aWorker>[]
  let gathering: ReturnType<typeof createGathering>
  beforeEach(() => {
    now = 0
    workers = [aWorker(3), aWorker(4)]
    gathering = createGathering(new Map(workers.map((it, at) => [at + 1, it])), () => now)
  })
  const answered = () => {
    for (const worker of workers) {
      gathering.take(worker, { id: worker.asked.at(-1) ?? 0, text: worker.counted })
    }
  }

  it('asks each worker once for all who ask while it is under way, and for a second after', async () => {
    const all = Array.from({ length: 50 }, () => gathering.text())
    now += 999
    all.push(gathering.text())
    expect(workers.map(({ asked }) => asked.length)).toEqual([1, 1])
    answered()
    const told = '# TYPE a_total counter\na_total{worker="1"} 3\na_total{worker="2"} 4\n'
    expect(new Set(await Promise.all(all))).toEqual(new Set([told]))
    now += 999
    expect(await gathering.text()).toBe(told)
    expect(workers.map(({ asked }) => asked.length)).toEqual([1, 1])
  })

  it('asks anew after that, and takes no answer to what was asked before', async () => {
    const first = gathering.text()
    answered()
    await first
    now += 1000
    const next = gathering.text()
    expect(workers.map(({ asked }) => asked.length)).toEqual([2, 2])
    for (const worker of workers)
      gathering.take(worker, { id: worker.asked[0] ?? 0, text: 'old 1' })
    answered()
    expect(await next).toBe(
      '# TYPE a_total counter\na_total{worker="1"} 3\na_total{worker="2"} 4\n',
    )
  })

  it('waits for nobody longer than a second, and shows who is missing', async () => {
    const next = gathering.text()
    const [, second] = workers
    if (second) gathering.take(second, { id: second.asked.at(-1) ?? 0, text: second.counted })
    expect(await next).toBe('# TYPE a_total counter\na_total{worker="2"} 4\n')
  })
})
