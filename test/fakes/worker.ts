/** A worker that is ready when it is told to be, ends with the code that it is sent, and serves nothing. */
import type { FromWorker } from '../../src/worker-metrics.ts'

process.on('message', (message) => {
  if (typeof message === 'number') process.exit(message)
  process.send?.({ procura: 'ready' } satisfies FromWorker)
})
