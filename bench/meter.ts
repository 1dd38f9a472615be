/**
 * Loaded into a measured server before its own code: tells its parent what CPU it has used, and how long
 * each mint took it, when asked. The primary of several workers tells the sum of all of them.
 */
import cluster, { type Worker } from 'node:cluster'
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { isReading, type Reading } from './meter-reading.ts'

const PATH = '/v1/credentials'
let tookMs: number[] = []
const began = new WeakMap<IncomingMessage, number>()

subscribe('http.server.request.start', (message) => {
  const { request } = message as { request: IncomingMessage }
  if (request.url === PATH) began.set(request, performance.now())
})
subscribe('http.server.response.finish', (message) => {
  const { request } = message as { request: IncomingMessage }
  const since = began.get(request)
  if (since !== undefined) tookMs.push(performance.now() - since)
})

process.on('message', (asked: unknown) => {
  if (asked !== 'reading') return
  const workers = Object.values(cluster.workers ?? {}).filter((it) => it?.isConnected() === true)
  Promise.all(workers.map(readingOf)).then(
    (theirs) => process.send?.({ reading: [own(), ...theirs].reduce(sum) }),
    () => process.kill(process.pid, 'SIGTERM'),
  )
})
// Whoever measured is gone: then this has no reason to be here.
process.on('disconnect', () => {
  process.kill(process.pid, 'SIGTERM')
})
if (cluster.isPrimary) process.channel?.unref()

function own(): Reading {
  const { user, system } = process.cpuUsage()
  const taken = tookMs
  tookMs = []
  return { cpuMicros: user + system, rssBytes: process.memoryUsage.rss(), tookMs: taken }
}

function sum(one: Reading, other: Reading): Reading {
  return {
    cpuMicros: one.cpuMicros + other.cpuMicros,
    rssBytes: one.rssBytes + other.rssBytes,
    tookMs: [...one.tookMs, ...other.tookMs],
  }
}

function readingOf(worker: Worker | undefined): Promise<Reading> {
  return new Promise((resolve) => {
    const listen = (message: unknown) => {
      if (!isReading(message)) return
      worker?.off('message', listen)
      resolve(message.reading)
    }
    worker?.on('message', listen)
    worker?.send('reading')
  })
}
