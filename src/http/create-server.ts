/** The HTTP server below Express: its limits, and refusals of what never becomes a request. */
import { randomUUID } from 'node:crypto'
import {
  createServer as createHttpServer,
  IncomingMessage,
  type Server,
  ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import express, { type Express } from 'express'
import { PROBLEMS, type ProblemCode } from '../domain/problems.ts'
import { createHeld } from './held.ts'
import { plain, sourceOf } from './source.ts'

/** All headers together, in bytes; ours are counted in check-request.ts, these stop a flood. */
const HEADER_BYTES_MAX = 32 * 1024
const URI_BYTES_MAX = 8 * 1024

/**
 * When nothing went either way for so long, or twice as long, nobody reads the answer. What takes longest is a proxied call:
 * ten minutes, a minute until it begins, and what it waits for before.
 */
const IDLE_MS = 900_000

const CONNECTIONS_MAX = 4_000
/** Of one source, so that nobody alone takes all there are. */
const CONNECTIONS_MAX_EACH = 1_000

/**
 * A server whose requests and responses are what Express wants them to be from the start.
 *
 * Express sets the prototype of both on every request, for which V8 throws away what it has learned
 * of them. Here they have it already, so that setting it changes nothing. This leans on the inside of
 * one exact version of Express; a test holds it.
 *
 * @param proxies addresses that connect for many, and may take what connections there are
 */
export function createServer(
  app: Express,
  issuer: string,
  proxies: readonly string[] = [],
  idleMs = IDLE_MS,
): Server {
  class Req extends IncomingMessage {}
  class Res<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {}
  equip(Req.prototype, express.request, app)
  equip(Res.prototype, express.response, app)
  app.request = Req.prototype as typeof app.request
  app.response = Res.prototype as typeof app.response

  const options = {
    ...{ IncomingMessage: Req, ServerResponse: Res, maxHeaderSize: HEADER_BYTES_MAX },
    ...{ headersTimeout: 7_000, requestTimeout: 30_000, connectionsCheckingInterval: 1_000 },
    ...{ keepAliveTimeout: 65_000, insecureHTTPParser: false, joinDuplicateHeaders: false },
  }
  const server = createHttpServer(options)
  endQueued(server)
  tellCut(server)
  server.on('request', app)
  // Node leaves out what is beyond; check-request.ts refuses well before that.
  server.maxHeadersCount = 1_000
  server.maxConnections = CONNECTIONS_MAX
  server.timeout = idleMs
  limitConnections(server, new Set(proxies))
  server.on('clientError', (error: ClientError, socket) => {
    refuseRaw(error, socket, issuer)
  })
  // Nothing is tunnelled: without this, Node would close the connection and say nothing.
  server.on('connect', (_request, socket) => {
    tell(socket, 'method_not_allowed', issuer)
  })
  return server
}

/**
 * Who sends a second request before the first is answered has its response wait, without a socket. Node
 * does not close it when the connection breaks: nobody would learn that the answer reached nobody.
 */
function endQueued(server: Server): void {
  const queues = new WeakMap<Socket, Set<ServerResponse>>()
  server.on('connection', (socket) => {
    const queue = new Set<ServerResponse>()
    queues.set(socket, queue)
    socket.once('close', () => {
      // The one whose turn it is has the socket: Node closes that.
      for (const res of queue) if (res.socket === null) closeUnsent(res)
    })
  })
  server.on('request', (req, res) => {
    const queue = queues.get(req.socket)
    if (res.socket !== null || queue === undefined) return
    queue.add(res)
    res.once('close', () => queue.delete(res))
  })
}

/**
 * Of what was still being written when its connection broke, or was written after that, Node says that it
 * was sent. Only what was out while the connection stood has been.
 */
function tellCut(server: Server): void {
  server.on('request', (req, res) => {
    let isOut = false
    res.prependOnceListener('finish', () => (isOut = !req.socket.destroyed))
    res.prependOnceListener('close', () => {
      if (!isOut) Object.defineProperty(res, 'writableFinished', { value: false })
    })
  })
}

/** As Node's own `emitCloseNT`; `closed` reads what is set here. */
function closeUnsent(res: ServerResponse): void {
  Object.assign(res, { destroyed: true, _closed: true })
  res.emit('close')
}

function limitConnections(server: Server, proxies: ReadonlySet<string>): void {
  const open = createHeld('Too many connections')
  server.on('connection', (socket) => {
    const address = plain(socket.remoteAddress ?? '')
    if (proxies.has(address)) return
    try {
      socket.once('close', open.enter(sourceOf(address), CONNECTIONS_MAX_EACH))
    } catch {
      socket.destroy() // Before a request there is nobody to tell.
    }
  })
}

function equip(prototype: object, like: object, app: Express): void {
  Object.defineProperties(prototype, {
    ...Object.getOwnPropertyDescriptors(like),
    app: { configurable: true, enumerable: true, writable: true, value: app },
  })
}

interface ClientError extends Error {
  readonly code?: string
  readonly rawPacket?: Buffer
}

/** What the parser refused has no request and no response: the answer is written by hand. */
function refuseRaw(error: ClientError, socket: Duplex, issuer: string): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  tell(socket, codeOf(error), issuer)
}

function tell(socket: Duplex, code: ProblemCode, issuer: string): void {
  const [status, title, , fix] = PROBLEMS[code]
  const id = randomUUID()
  const body = JSON.stringify({
    ...{ type: `${issuer}/problems/${code}`, title, status, detail: title, fix },
    ...{ instance: `urn:procura:request:${id}`, request_id: id, code },
  })
  const head = [
    `HTTP/1.1 ${String(status)} Refused`,
    'Content-Type: application/problem+json',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    `X-Request-ID: ${id}`,
    'Cache-Control: no-store',
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function codeOf({ code, rawPacket }: ClientError): ProblemCode {
  if (code !== 'HPE_HEADER_OVERFLOW') return 'malformed_request'
  const line = /^[A-Z]+ \/[^\r\n]*/.exec(rawPacket?.toString('latin1') ?? '')
  // What overflows in a later packet than the first has no such line: mostly it is a header.
  const isLongLine = line !== null && line[0].length > URI_BYTES_MAX
  return isLongLine ? 'uri_too_long' : 'headers_too_large'
}
