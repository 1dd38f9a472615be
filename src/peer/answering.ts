/** The deciding side's listener: nobody but the delivering side is answered, and nothing but its questions. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Meter } from '../domain/meter.ts'
import { BrokerError, isBeforeDeciding, PROBLEMS, unavailable } from '../domain/problems.ts'
import type { Face, Presented, Recognised } from '../domain/request.ts'
import { type Answering, faceOf, type Name, NAMES, NoQuestion, readQuestion } from './questions.ts'
import type { Reply } from './replies.ts'
import { contextOf, type PeerTls, whyNot } from './tls.ts'

/** A body of an agent, and what else it presented. */
const QUESTION_BYTES_MAX = (256 + 64) * 1024
/** Strangers may open connections; they do not keep them. */
const HANDSHAKE_MS = 5000
const CONNECTIONS_MAX = 2000
/** Of one address, that have not shown yet who they are. */
const OPENING_MAX = 400

export interface AnsweringOptions {
  readonly tls: PeerTls
  readonly answering: Answering
  /** The one that proofs should carry now. */
  readonly nonce: () => string
  /** Counts what a caller has going on, and refuses those who ask for too much. */
  readonly limit: (call: Call, caller: Recognised) => void
  /** Counts what was refused here before any decision; `caller` where somebody was recognised. */
  readonly refused: (face: Face, code: string, caller: string | null) => void
  /** Questions that are worked on at once. */
  readonly busyMax: number
  /** Work that a drain waits for. */
  readonly track: (work: Promise<void>) => Promise<void>
  readonly meter: Meter
  readonly log: Readonly<Record<'info' | 'error', (fields: object, message: string) => void>>
}

/** One question, as far as limits know it. */
export interface Call {
  caller: string | null
  release: () => void
}

export interface Listener {
  readonly server: Server
  /** Milliseconds since the other side last asked anything. */
  readonly silentMs: () => number
}

export function createListener(options: AnsweringOptions): Listener {
  const { tls, track } = options
  const known = new WeakSet<Duplex>()
  let [busy, askedAt] = [0, -Infinity]
  const limits = { ...{ keepAliveTimeout: 65_000, headersTimeout: 5000, requestTimeout: 10_000 } }
  const context = { ...contextOf(tls), requestCert: true, rejectUnauthorized: true }
  const opening = { handshakeTimeout: HANDSHAKE_MS }

  async function attend(req: IncomingMessage, res: ServerResponse): Promise<void> {
    askedAt = performance.now()
    busy += 1
    try {
      const isTooMuch = busy > options.busyMax
      const reply = isTooMuch ? overloaded(options) : await replyTo(options, req)
      send(res, JSON.stringify(reply))
    } finally {
      busy -= 1
    }
  }

  const server = createServer({ ...context, ...opening, ...limits }, (req, res) => {
    if (!known.has(req.socket)) {
      req.socket.destroy()
      return
    }
    track(attend(req, res)).catch(() => {
      res.destroy() // It broke off in the middle of its question.
    })
  })
  server.maxConnections = CONNECTIONS_MAX
  const stranger = () => {
    options.meter.count('procura_peer_questions_total', { question: 'none', outcome: 'stranger' })
  }
  const opened = limitOpening(server, stranger)
  server.on('tlsClientError', stranger)
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    opened(socket)
    const why = whyNot(tls, socket.getPeerCertificate())
    if (why === undefined) known.add(socket)
    else {
      stranger()
      options.log.error({ why: 'name' }, 'a stranger was not let in at the listener for our own')
      socket.destroy()
    }
  })
  return { server, silentMs: () => performance.now() - askedAt }
}

/** Nobody at one address can take all connections by showing nothing. Returns what is told of who showed it. */
function limitOpening(server: Server, refused: () => void): (socket: Socket) => void {
  const opening = new Map<string, Set<number>>()
  const opened = (address: string, port: number) => {
    const ports = opening.get(address)
    ports?.delete(port)
    if (ports?.size === 0) opening.delete(address)
  }
  server.on('connection', (socket: Socket) => {
    const { remoteAddress: address = '', remotePort: port = 0 } = socket
    const ports = opening.get(address) ?? new Set()
    if (ports.size >= OPENING_MAX) {
      refused()
      socket.destroy()
      return
    }
    opening.set(address, ports.add(port))
    socket.once('close', () => {
      opened(address, port)
    })
  })
  return ({ remoteAddress = '', remotePort = 0 }) => {
    opened(remoteAddress, remotePort)
  }
}

function send(res: ServerResponse, text: string): void {
  res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(text)
}

/** Not looked at, and not counted: whoever asked does that. */
const overloaded = (options: AnsweringOptions): Reply =>
  refusalOf(options, unavailable('decision_point'))

async function replyTo(options: AnsweringOptions, req: IncomingMessage): Promise<Reply> {
  const octets = await octetsOf(req)
  const name = NAMES.find((it) => req.url === `/${it}`)
  const startedAt = performance.now()
  const call: Call = { caller: null, release: () => undefined }
  const told: Told = { requestId: null, caller: null, face: 'native' }
  let reply: Reply
  try {
    if (name === undefined || octets === null) throw new NoQuestion('none of ours')
    const answer = await answerTo(options, name, octets, { call, told })
    reply = { nonce: options.nonce(), caller: told.caller, answer }
  } catch (error) {
    reply = refusalOf(options, error, told)
  } finally {
    call.release()
  }
  const outcome = 'answer' in reply ? 'answered' : 'refused'
  options.meter.count('procura_peer_questions_total', { question: name ?? 'other', outcome })
  const ms = Math.round((performance.now() - startedAt) * 10) / 10
  const code = reply.refusal && { code: reply.refusal.code }
  const fields = { question: name ?? 'other', request_id: told.requestId, caller: call.caller, ms }
  if (name !== 'ready') options.log.info({ ...fields, ...code }, 'asked by the delivering side')
  return reply
}

interface Told {
  requestId: string | null
  caller: Recognised | null
  face: Face
}

async function answerTo(
  { answering, limit }: AnsweringOptions,
  name: Name,
  octets: Buffer,
  { call, told }: { call: Call; told: Told },
): Promise<unknown> {
  const whole = (presented: Omit<Presented, 'body' | 'face'>, body: Uint8Array): Presented => {
    const face = faceOf(name, presented.path)
    Object.assign(told, { face, requestId: presented.requestId })
    const recognised = (caller: Recognised) => {
      told.caller = caller
      limit(call, caller)
    }
    return { ...presented, face, body, recognised }
  }
  switch (name) {
    case 'decide':
    case 'authenticate': {
      const { head, body } = readQuestion(name, octets)
      return await answering[name](whole(head.presented, body))
    }
    case 'service': {
      const { head, body } = readQuestion(name, octets)
      const service = await answering.service(whole(head.presented, body), head.assertion)
      told.caller = { kind: 'service', id: service.name, sponsor: null }
      limit(call, told.caller)
      return service
    }
    case 'checkProof':
      await answering.checkProof(readQuestion(name, octets).head.shown)
      return null
    case 'refused':
      await answering.refused(readQuestion(name, octets).head.counts)
      return null
    case 'ready':
      return await answering.ready()
  }
}

/**
 * What may be shown to the agent, and a word for the log; never more of what went wrong in us.
 *
 * @param told what the question was about; what it was refused is then counted, by the side that knows it
 */
function refusalOf({ nonce, log, refused }: AnsweringOptions, thrown: unknown, told?: Told): Reply {
  const caller = told?.caller ?? null
  if (thrown instanceof NoQuestion) return { nonce: nonce(), caller, isNoQuestion: true }
  const error = thrown instanceof BrokerError ? thrown : new BrokerError('internal_error')
  const { code, shown } = error
  if (PROBLEMS[code][0] >= 500) {
    const cause = thrown instanceof BrokerError ? thrown.cause : thrown
    log.error({ code, cause: cause instanceof Error ? cause.name : null }, 'failed')
  }
  const isCounted = told !== undefined && isBeforeDeciding(error)
  if (isCounted) refused(told.face, shown.oauth?.code ?? code, caller?.id ?? null)
  const message = /^[a-z][a-z0-9_]{0,39}$/.test(error.message) ? error.message : code
  return { nonce: nonce(), caller, refusal: { code, message, shown, isCounted } }
}

/** `null`: more than any question is. */
async function octetsOf(req: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= QUESTION_BYTES_MAX) chunks.push(chunk)
  }
  return size <= QUESTION_BYTES_MAX ? Buffer.concat(chunks, size) : null
}
