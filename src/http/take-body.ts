/** Takes the bytes of a body as they are: proofs cover them, and they are read only later. */
import type { Request, Response } from 'express'
import { BrokerError } from '../domain/problems.ts'
import { callOf } from './call.ts'

const KIB = 1024
/** How many bodies of one source may be on their way at once. */
const ARRIVING_MAX_EACH = 128
/** How much more is thrown away, and for how long, so that the caller gets to read the refusal. */
const LINGER_BYTES = 1024 * KIB
const LINGER_MS = 1_000

export const BODY_BYTES_MAX = { native: 256 * KIB, oauth: 128 * KIB } as const

/**
 * @throws BrokerError `payload_too_large`, after which the connection is closed; `rate_limited` when
 *   too many bodies are on their way
 */
export async function takeBody(req: Request, res: Response, bytesMax: number): Promise<Uint8Array> {
  const announced = Number(req.headers['content-length'] ?? 0)
  if (announced === 0 && req.headers['transfer-encoding'] === undefined) return NOTHING
  if (announced > bytesMax) throw await tooLarge(req, res)
  const { gates, source } = callOf(res)
  const arrived = gates?.bodies.enter(source, ARRIVING_MAX_EACH)
  try {
    const body = await bytesOf(req, bytesMax)
    if (body === null) throw await tooLarge(req, res)
    return body
  } finally {
    arrived?.()
  }
}

const NOTHING = new Uint8Array()

/** All of it, or `null` as soon as it is too much. The rest stays unread. */
function bytesOf(req: Request, bytesMax: number): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const take = (chunk: Buffer) => {
      size += chunk.length
      chunks.push(chunk)
      if (size > bytesMax) settle(null)
    }
    const settle = (body: Uint8Array | null) => {
      req.off('data', take)
      resolve(body)
    }
    req.on('data', take)
    req.once('end', () => {
      settle(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size))
    })
    // Of a caller that left there is nothing to answer; the last handler finds nobody there.
    const left = (cause?: unknown) => {
      if (!req.complete) reject(new BrokerError('malformed_request', { cause }))
    }
    req.once('error', left).once('close', left)
  })
}

async function tooLarge(req: Request, res: Response): Promise<BrokerError> {
  res.set('Connection', 'close')
  await thrownAway(req)
  return new BrokerError('payload_too_large')
}

/** Reads on without keeping anything, until the end, the bound or the deadline. */
async function thrownAway(req: Request): Promise<void> {
  await new Promise<void>((resolve) => {
    let left = LINGER_BYTES
    const timer = setTimeout(resolve, LINGER_MS)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    req.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) done()
    })
    req.once('end', done).once('close', done)
    req.resume()
  })
}
