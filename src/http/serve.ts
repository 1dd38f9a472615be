/** One path: who it is for, what it does for each method, and 405 for every other. */
import type { Request, RequestHandler, Response, Router } from 'express'
import { BrokerError } from '../domain/problems.ts'
import { callOf, type Door, isToAgent, pathOf } from './call.ts'
import { checkEncoding, checkMedia, checkOnce, isProxied } from './check-request.ts'
import type { BaseFront } from './front.ts'
import { passGate } from './gate.ts'
import { BODY_BYTES_MAX, takeBody } from './take-body.ts'

export type Method = 'get' | 'head' | 'options' | 'post' | 'put' | 'patch' | 'delete'
/** May be called once the bytes of the body are there; whom it is for it finds out itself. */
export type Handler = (req: Request, res: Response) => Promise<void> | void

/** A rejected promise goes to the last handler of the app. */
export function serve(
  { router, front, door }: { router: Router; front: BaseFront; door: Door },
  path: string,
  handlers: Partial<Record<Method, Handler>>,
): void {
  const route = router.route(path)
  const methods = Object.keys(handlers) as Method[]
  const named = methods.flatMap((it) => (it === 'get' ? ['GET', 'HEAD'] : [it.toUpperCase()]))
  const allow = [...new Set(named)]

  const enter: RequestHandler = (req, res, next) => {
    Object.assign(callOf(res), { route: path, door })
    if (isToAgent(req, res)) res.set('DPoP-Nonce', front.identity.currentNonce())
    if (!allow.includes(req.method)) {
      throw new BrokerError('method_not_allowed', { shown: { allow: allow.join(', ') } })
    }
    checkOnce(req)
    next()
  }
  route.all(enter, take, passGate)
  for (const method of methods) {
    const handler = handlers[method]
    if (handler) route[method](working(front, handler))
  }
}

/** The handler, known to be at work until it is done. */
function working({ running }: BaseFront, handler: Handler): RequestHandler {
  return async (req, res) => {
    try {
      await running.track(Promise.resolve(handler(req, res)))
    } finally {
      callOf(res).release()
    }
  }
}

const take: RequestHandler = async (req, res, next) => {
  const call = callOf(res)
  const isForm = call.face === 'oauth'
  const isCalledOn = isProxied(pathOf(req))
  checkEncoding(req)
  if (req.method === 'POST' && !isCalledOn)
    checkMedia(req, isForm ? 'form' : 'json', call.face === 'authzen')
  call.body = await takeBody(req, res, isForm ? BODY_BYTES_MAX.oauth : BODY_BYTES_MAX.native)
  // A call that is passed on has a body or has none, whatever its method.
  if (isCalledOn && call.body.length > 0) checkMedia(req, 'json', false)
  next()
}
