/**
 * Sends requests that were made before, at a rate, from an address of its own, over connections that
 * stay open; then prints how often each status came. A process of its own, so that whoever measures
 * meanwhile is not kept waiting by it. Reads what to do as JSON from its input.
 */
import { Agent, request } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { parseTrusted } from '../../src/domain/json.ts'
import type { Flood } from './flood.ts'

const SLICE_MS = 20

const chunks: Buffer[] = []
for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
const flood = parseTrusted(Buffer.concat(chunks).toString()) as unknown as Flood
const { ports, requests, perSecond, seconds, from } = flood

const agent = new Agent({ keepAlive: true, maxSockets: 64 })
const statuses: Record<string, number> = {}
const count = (status: string) => (statuses[status] = (statuses[status] ?? 0) + 1)

function send(at: number): Promise<void> {
  const { method = '', path, headers, body } = requests[at % requests.length] ?? {}
  const host = { host: '127.0.0.1', port: ports[at % ports.length], localAddress: from }
  return new Promise((resolve) => {
    const sent = request({ ...host, agent, method, path, headers: { ...headers } }, (res) => {
      count(String(res.statusCode))
      res.resume().once('close', resolve)
    })
    sent.once('error', (error) => {
      count('code' in error ? String(error.code) : error.name)
      resolve()
    })
    sent.end(body)
  })
}

const startedAt = performance.now()
const sent: Promise<void>[] = []
while (performance.now() - startedAt < seconds * 1000) {
  const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond)
  while (sent.length < due) sent.push(send(sent.length))
  await pause(SLICE_MS)
}
await Promise.all(sent)
agent.destroy()
process.stdout.write(JSON.stringify(statuses))
