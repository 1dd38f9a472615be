/** What is shared between calls: lookups of names, and the look at what was stopped. */
import { describe, expect, it, vi, onTestFinished } from 'vitest'
import { createLive } from '../../../src/delivery/proxy/live.ts'
import { type Resolve, together } from '../../../src/delivery/proxy/resolve.ts'

/** A name server that answers when it is told to. */
function aNameServer() {
  const asked: string[] = []
  const answers: ((address: string) => void)[] = []
  const resolve: Resolve = (name) => {
    asked.push(name)
    return new Promise((resolve) => {
      answers.push((address) => {
        resolve([{ address }])
      })
    })
  }
  return { asked, answers, resolve }
}

describe('a lookup', () => {
  it('is one for all who ask for the name meanwhile, and another for whoever asks later', async () => {
    const { asked, answers, resolve } = aNameServer()
    const look = together(resolve, 2)
    const both = [look('a.example'), look('a.example')]
    answers[0]?.('1.1.1.1')
    expect(await Promise.all(both)).toEqual([[{ address: '1.1.1.1' }], [{ address: '1.1.1.1' }]])
    const later = look('a.example')
    answers[1]?.('1.0.0.1')
    expect(await later).toEqual([{ address: '1.0.0.1' }])
    expect(asked).toEqual(['a.example', 'a.example'])
  })

  it('waits for its turn where as many go on as may, whether those come to something or not', async () => {
    const { asked, answers, resolve } = aNameServer()
    let fail = () => undefined as unknown
    const failing: Resolve = (name) =>
      name === 'bad.example'
        ? new Promise((_resolve, reject) => {
            asked.push(name)
            fail = () => {
              reject(new Error('ENOTFOUND'))
            }
          })
        : resolve(name)
    const look = together(failing, 2)
    const bad = look('bad.example')
    const others = ['b.example', 'c.example', 'd.example'].map(look)
    expect(asked).toEqual(['bad.example', 'b.example'])
    fail()
    await expect(bad).rejects.toThrow('ENOTFOUND')
    expect(asked).toEqual(['bad.example', 'b.example', 'c.example'])
    answers[0]?.('1.1.1.1')
    answers[1]?.('1.1.1.2')
    await Promise.all(others.slice(0, 2))
    expect(asked.at(-1)).toBe('d.example')
    answers[2]?.('1.1.1.3')
    expect(await others[2]).toEqual([{ address: '1.1.1.3' }])
  })
})

describe('the look at what was stopped', () => {
  it('is one a second, also when a call begins while another’s is under way', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => {
      vi.useRealTimers()
    })
    let looks = 0
    let answer: () => void = () => undefined
    const query = () => {
      looks += 1
      const rows = [{ id: 'crd_two' }]
      if (looks > 1) return Promise.resolve({ rows })
      return new Promise((resolve) => {
        answer = () => {
          resolve({ rows })
        }
      })
    }
    const live = createLive({ tenant: 'main', pool: { query } as never })
    const unwatch = live.watch('crd_one', () => undefined)
    await vi.advanceTimersByTimeAsync(1000)
    unwatch()
    const unwatchTwo = live.watch('crd_two', () => undefined)
    answer()
    await vi.advanceTimersByTimeAsync(5000)
    expect(looks).toBe(6)
    unwatchTwo()
    await vi.advanceTimersByTimeAsync(2000)
    expect([looks, vi.getTimerCount()]).toEqual([6, 0])
  })
})
