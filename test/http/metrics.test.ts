import { expect, it } from 'vitest'
import { createMetrics } from '../../src/http/metrics.ts'

it('[ADM-13] of 10,000 callers makes a fixed number of series, whatever is given as a label', () => {
  const metrics = createMetrics([])
  for (let n = 0; n < 10_000; n += 1) {
    metrics.count('procura_requests_total', { route: `/v1/agents/${String(n)}`, status: '2xx' })
  }
  metrics.count('procura_orphans_total')
  const series = metrics
    .exposition()
    .split('\n')
    .filter((line) => line.startsWith('procura_'))
  expect(series.length).toBeLessThanOrEqual(2050)
  metrics.count('procura_requests_total', { route: '/v1/agents/0', status: '2xx' })
  expect(metrics.exposition()).toContain('route="/v1/agents/0",status="2xx"} 2')
})
