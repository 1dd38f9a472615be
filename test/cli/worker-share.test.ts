/** Limits of targets in the trust file, and what each of several workers gives of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { shareOf } from '../../src/cli/worker-share.ts'
import { ConfigError, loadConfig } from '../../src/config.ts'

const folder = mkdtempSync(join(tmpdir(), 'procura-limits-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function configured(limits: string) {
  const file = join(folder, 'trust.yaml')
  const text = `targets:
  orders: { connector: postgres, limits: ${limits} }
  payments: { connector: jwt, audience: a }`
  writeFileSync(file, text)
  return loadConfig({ PROCURA_TRUST: file, PROCURA_REQUESTS_PER_SECOND: '90' }).config
}

function mistakesIn(limits: string): readonly string[] {
  try {
    configured(limits)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes.map(({ key, problem }) => `${key.split(': ')[1] ?? ''}: ${problem}`)
  }
}

describe('the limits of a target', () => {
  it('are as they are written', () => {
    const { targets } = configured('{ concurrent: 8, per_second: 2.5, burst: 5 }').trust
    expect(targets['orders']?.limits).toEqual({ concurrent: 8, per_second: 2.5, burst: 5 })
    expect(targets['payments']?.limits).toBeUndefined()
  })

  it.each([
    ['{ concurrent: 0 }', 'targets.orders.limits.concurrent'],
    ['{ concurrent: 1.5 }', 'targets.orders.limits.concurrent'],
    ['{ per_second: 0 }', 'targets.orders.limits.per_second'],
    ['{ burst: 5 }', 'targets.orders.limits.burst: needs per_second'],
    ['{ per_minute: 5 }', 'targets.orders.limits'],
    ['9', 'targets.orders.limits'],
  ])('are refused at the start where they are %s', (limits, place) => {
    const [mistake, ...more] = mistakesIn(limits)
    expect(mistake?.startsWith(place), mistake).toBe(true)
    expect(more).toEqual([])
  })
})

describe('one of several workers', () => {
  it('gives its share of what all may together, and never none', () => {
    const config = configured('{ concurrent: 8, per_second: 4, burst: 2 }')
    const { requestsPerSecond, trust } = shareOf(config, 3)
    expect(requestsPerSecond).toBe(30)
    expect(trust.targets).toEqual({
      orders: { connector: 'postgres', limits: { concurrent: 2, per_second: 4 / 3, burst: 1 } },
      payments: { connector: 'jwt', audience: 'a' },
    })
    expect(shareOf(configured('{ concurrent: 2 }'), 64).trust.targets['orders']?.limits).toEqual({
      concurrent: 1,
    })
  })

  it('may begin one at once, however little all together may: more of them begin more', () => {
    const share = shareOf(configured('{ concurrent: 2, per_second: 1, burst: 1 }'), 8)
    const each = share.trust.targets['orders']?.limits
    expect(each).toEqual({ concurrent: 1, per_second: 1 / 8, burst: 1 })
  })
})
