/** Takes the bytes of a body as they are: proofs cover them, and they are read only later. */
import type { Request, Response } from 'express'
import { BrokerError } from '../domain/problems.ts'

const KIB = 1024
/** How much more is thrown away, and for how long, so that the caller gets to read the refusal. */
const LINGER_BYTES = 1024 * KIB
const LINGER_MS = 1_000

export const BODY_BYTES_MAX = { native: 256 * KIB, oauth: 128 * KIB } as const

/** @throws BrokerError `payload_too_large`, after which the connection is closed */
export async function takeBody(req: Request, res: Response, bytesMax: number): Promise<Uint8Array> {
  const announced = Number(req.headers['content-length'] ?? 0)
  if (announced === 0 && req.headers['transfer-encoding'] === undefined) return NOTHING
  if (announced > bytesMax) throw await tooLarge(req, res)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of bytesOf(req)) {
    size += chunk.length
    if (size > bytesMax) break
    chunks.push(chunk)
  }
  if (size > bytesMax) throw await tooLarge(req, res)
  return Buffer.concat(chunks, size)
}

const NOTHING = new Uint8Array()

/** Leaving the loop early must not destroy the request: the answer shares its socket. */
function bytesOf(req: Request): AsyncIterable<Buffer> {
  return req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
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
