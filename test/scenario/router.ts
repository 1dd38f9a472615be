/** What stands before the two processes of one broker: it sends each path to the side that serves it. */
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll } from 'vitest'

export interface Router {
  readonly origin: string
  readonly port: number
  /** Delivering processes take turns. */
  readonly to: (ports: { readonly pdp: number; readonly cdps: readonly number[] }) => void
}

/** As docs/two-processes.md has it. */
const DELIVERED = /^\/v1\/(credentials|proxy|redemptions)(\/|$)/

const servers: Server[] = []

export async function startRouter(): Promise<Router> {
  let upstream: Parameters<Router['to']>[0] = { pdp: 0, cdps: [] }
  let turn = 0
  // Answers pass with what the brokers say of connections: ours are kept for longer than that.
  const server = createServer({ keepAliveTimeout: 70_000 }, (req, res) => {
    const [path = ''] = (req.url ?? '').split('?')
    turn += 1
    const cdp = upstream.cdps[turn % upstream.cdps.length] ?? 0
    const port = DELIVERED.test(path) ? cdp : upstream.pdp
    const { method, url: target, rawHeaders: headers } = req
    const far = request({ host: '127.0.0.1', port, method, path: target, headers, agent: false })
    far.once('response', (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(res)
      answer.once('error', () => res.destroy())
    })
    far.once('error', () => res.destroy())
    res.once('close', () => {
      if (!res.writableFinished) far.destroy()
    })
    req.pipe(far)
  })
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { origin: `http://localhost:${String(port)}`, port, to: (ports) => (upstream = ports) }
}

afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})
