/** Hops: registered by whoever signed them, read by those on whose chain they are. */
import { Router } from 'express'
import { z } from 'zod'
import { budgetBody, delegationBody } from '../bodies.ts'
import type { PdpFront } from '../front.ts'
import { PAGE, pageBody, pageOf } from '../page.ts'
import { agentOf, checkKey, presentedBy } from '../presented.ts'
import { checked, idIn, readObject, readQuery } from '../read.ts'
import { type Handler, serve } from '../serve.ts'
import { BODY_BYTES_MAX } from '../take-body.ts'

const Body = z.strictObject({ chain: z.string() })

export function delegations(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'agent' } as const
  serve(at, '/v1/delegations', { get: list(front), post: register(front) })
  serve(at, '/v1/delegations/:id', { get: find(front) })
  return router
}

function register(front: PdpFront): Handler {
  return async (req, res) => {
    const { instance, act } = await agentOf(front, req, res)
    checkKey(req)
    // A chain that is too large is told so by who reads chains, and not as a string that is.
    const { chain } = checked(Body, readObject(res, { stringBytes: BODY_BYTES_MAX.native }))
    const key = front.identity.requestKey(instance, presentedBy(req, res))
    const registered = await front.delegations.register(instance, chain, { act, key })
    if (registered.isReplay) res.set('Idempotency-Replayed', 'true')
    res
      .status(registered.isRepeat ? 200 : 201)
      .location(`/v1/delegations/${registered.id}`)
      .json(delegationBody(registered))
  }
}

const Query = z.strictObject(PAGE)

/** Newest first, all that have the caller's key on their chain: what it received, and what is below. */
function list(front: PdpFront): Handler {
  return async (req, res) => {
    const { instance } = await agentOf(front, req, res)
    const bound = { caller: instance.session.instance, path: '/v1/delegations' }
    const page = pageOf(readQuery(Query, req), 'dlg', bound)
    const listed = await front.delegations.list(instance, page)
    res.json(pageBody(listed, delegationBody, bound))
  }
}

function find(front: PdpFront): Handler {
  return async (req, res) => {
    const { instance } = await agentOf(front, req, res)
    const found = await front.delegations.find(instance, idIn(req, 'dlg'))
    res.json({ ...delegationBody(found), budgets: found.budgets.map(budgetBody) })
  }
}
