/**
 * What stands before the brokers: each request goes to the next of them. One that does not take the
 * connection is passed over; what breaks after that breaks for the caller, and is not tried again.
 */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Balancer {
  /** The issuer that all brokers share. */
  readonly origin: string
  /** For requests from now on. */
  to(ports: readonly number[]): void
  stop(): void
}

export async function startBalancer(): Promise<Balancer> {
  let upstreams: readonly number[] = []
  let turn = 0
  const agent = new Agent({ keepAlive: true })
  const server = createServer({ keepAliveTimeout: 65_000 }, (req, res) => {
    const from = turn
    turn += 1
    const ports = upstreams.map((_port, at) => upstreams[(from + at) % upstreams.length] ?? 0)
    readAll(req).then(
      (body) => {
        forward({ req, res, body, agent }, ports)
      },
      () => res.destroy(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://localhost:${String(port)}`,
    to: (ports) => (upstreams = ports),
    stop() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
    },
  }
}

interface Forwarding {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly body: Buffer
  readonly agent: Agent
}

function forward(forwarding: Forwarding, [port, ...others]: readonly number[]): void {
  const { req, res, body, agent } = forwarding
  if (port === undefined) {
    res.destroy()
    return
  }
  const { method, url: path, headers } = req
  const far = request({ host: '127.0.0.1', port, method, path, headers, agent }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(res)
    answer.on('error', () => res.destroy())
  })
  far.on('error', (error) => {
    const isRefused = 'code' in error && error.code === 'ECONNREFUSED'
    if (isRefused && !res.headersSent) forward(forwarding, others)
    else res.destroy()
  })
  res.on('close', () => far.destroy())
  far.end(body)
}

async function readAll(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}
