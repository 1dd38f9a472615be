/** One request to a target, on a connection of its own, to the address that was checked. */
import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http'
import { request as secureRequest, type RequestOptions } from 'node:https'
import type { Pinned } from './resolve.ts'

const HEADER_BYTES_MAX = 32 * 1024

export interface Outgoing {
  readonly base: URL
  readonly pinned: Pinned
  readonly ca: string | undefined
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** Whether anything can have reached the target. */
export interface Progress {
  isSent: boolean
}

/**
 * Resolves with the head of the answer. No redirect is followed, nothing is upgraded, no connection is
 * used twice; when the signal fires, it is cut.
 *
 * @throws what Node's client throws, or the signal's reason
 */
export function send(
  outgoing: Outgoing,
  progress: Progress,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = opened(outgoing, progress)
    const cut = () => {
      request.destroy(asError(signal.reason))
    }
    signal.addEventListener('abort', cut, { once: true })
    // Also what comes after the answer: an unsolicited one is nobody's.
    request.on('error', reject)
    request.on('upgrade', (_answer, socket) => {
      socket.destroy()
      reject(new Error('the target changed the protocol'))
    })
    request.once('response', (answer) => {
      answer.once('close', () => request.destroy())
      resolve(answer)
    })
    request.once('close', () => {
      signal.removeEventListener('abort', cut)
      reject(new Error('the target closed the connection'))
    })
    if (signal.aborted) cut()
    else request.end(outgoing.body ?? undefined)
  })
}

function opened(outgoing: Outgoing, progress: Progress): ClientRequest {
  const { base, pinned, ca, method, target, headers } = outgoing
  const isSecure = base.protocol === 'https:'
  const options: RequestOptions = {
    ...{ host: pinned.address, port: base.port === '' ? undefined : base.port, method },
    ...{ path: target, headers, agent: false, setHost: false, insecureHTTPParser: false },
    maxHeaderSize: HEADER_BYTES_MAX,
    // An address has no name to send; its certificate has to be for the address.
    servername: pinned.name ?? '',
    ...(ca === undefined ? {} : { ca }),
    ...{ rejectUnauthorized: true, minVersion: 'TLSv1.2' },
  }
  const request = isSecure ? secureRequest(options) : plainRequest(options)
  request.once('socket', (socket) => {
    socket.once(isSecure ? 'secureConnect' : 'connect', () => {
      progress.isSent = true
    })
  })
  return request
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('it was cut')
}
