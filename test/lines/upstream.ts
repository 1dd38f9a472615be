/** APIs that calls are made to: on loopback, good or bad, remembering every octet that reached them. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import {
  createServer as createRawServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

export interface Seen {
  readonly method: string
  readonly target: string
  /** Names and values in turn, as they came. */
  readonly raw: readonly string[]
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface Upstream {
  readonly port: number
  readonly seen: Seen[]
  /** Connections, whether or not a request came over them. */
  readonly connections: () => number
  /** How it answers from now on. */
  answer: (request: Seen, response: ServerResponse) => void
}

export interface Certificate {
  readonly key: string
  readonly cert: string
}

const closing: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closing.splice(0)) await close()
})

export const echo: Upstream['answer'] = ({ method, target, body }, response) => {
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ method, target, body }))
}

/** @param host `localhost` where it is called by that name */
export async function anUpstream(
  certificate: Certificate | null = null,
  host = '127.0.0.1',
): Promise<Upstream> {
  const seen: Seen[] = []
  let connections = 0
  const upstream: Upstream = { port: 0, seen, connections: () => connections, answer: echo }
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: target = '', rawHeaders: raw, headers } = request
      const one = { method, target, raw, headers, body: Buffer.concat(chunks).toString() }
      seen.push(one)
      upstream.answer(one, response)
    })
  }
  const server =
    certificate === null ? createServer(listener) : createSecureServer(certificate, listener)
  server.on('connection', () => {
    connections += 1
  })
  return Object.assign(upstream, { port: await listening(server, host) })
}

/** One that answers with octets, whatever it is asked. */
export async function aRawUpstream(answer: (socket: Socket, request: string) => void) {
  const requests: string[] = []
  const server = createRawServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', (data) => {
      requests.push(data.toString('latin1'))
      answer(socket, data.toString('latin1'))
    })
  })
  return { port: await listening(server, '127.0.0.1'), requests }
}

async function listening(server: Server, host: string): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  closing.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return (server.address() as AddressInfo).port
}

/** A certificate for this name, signed by itself: its own authority. */
export function aCertificate(name: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'procura-cert-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const named = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  const files = ['-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', '-x509', ...kind, ...named, ...files], { stdio: 'ignore' })
  const made = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  rmSync(folder, { recursive: true })
  return made
}
