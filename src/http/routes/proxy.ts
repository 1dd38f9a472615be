/** ANY /v1/proxy/{lease}/*: one call of an API through the broker, for the agent that the lease is of. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Request, type Response, Router } from 'express'
import { isId } from '../../domain/ids.ts'
import { BrokerError } from '../../domain/problems.ts'
import { callOf, pathOf } from '../call.ts'
import type { CdpFront } from '../front.ts'
import type { ProxiedAnswer } from '../front-delivering.ts'
import { agentOf } from '../presented.ts'
import { type Handler, type Method, serve } from '../serve.ts'

const METHODS = ['get', 'head', 'options', 'post', 'put', 'patch', 'delete'] as const

export function proxy(front: CdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const handlers = Object.fromEntries(METHODS.map((method) => [method, call(front)]))
  const at = { router, front, door: 'agent' } as const
  serve(at, '/v1/proxy/:lease/*path', handlers as Record<Method, Handler>)
  return router
}

/** Nothing of the address is decoded here: it is taken as it was sent. */
function call(front: CdpFront): Handler {
  return async (req, res) => {
    const left = leaving(res)
    const { instance, act } = await agentOf(front, req, res)
    if (req.headers.upgrade !== undefined) throw new BrokerError('target_denied')
    const [, lease = '', path = ''] = /^\/v1\/proxy\/([^/]+)(\/.+)$/.exec(pathOf(req)) ?? []
    if (!isId('crd', lease)) throw new BrokerError('not_found')
    const query = req.originalUrl.slice(pathOf(req).length + 1)
    const { method, headers } = req
    const { body } = callOf(res)
    const called = { lease, method, path, query, headers, body, left }
    const answer = await front.proxy.call(instance, called, act)
    front.running.track(answer.over).catch((error: unknown) => {
      front.log.error({ error: nameOf(error) }, 'what came of a proxied call is not on record')
    })
    await pass(req, res, answer)
  }
}

/** Fires when the caller has left, also while it is still being looked at. */
function leaving(res: Response): AbortSignal {
  const left = new AbortController()
  const gone = () => {
    if (!res.writableFinished) left.abort()
  }
  if (res.closed) gone()
  else res.once('close', gone)
  return left.signal
}

/** The target's answer, told apart from ours by a header that only we set. */
async function pass(req: Request, res: Response, answer: ProxiedAnswer): Promise<void> {
  const { status, headers, first, more } = answer
  for (const [name, value] of headers) res.setHeader(name, value)
  res.setHeader('Procura-Upstream-Status', String(status))
  res.status(status)
  if (more === null) {
    if (req.method !== 'HEAD' && status !== 204 && status !== 304) {
      res.setHeader('Content-Length', first.length)
    }
    res.end(first)
    return
  }
  // It goes on for as long as it takes: whoever waits for a place need not wait for that.
  callOf(res).release()
  res.flushHeaders()
  await pipeline(Readable.from(joined(first, more), { objectMode: false }), res)
}

async function* joined(first: Uint8Array, more: AsyncIterable<Uint8Array>) {
  if (first.length > 0) yield first
  yield* more
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : 'unknown')
