/** A person's yes or no to exactly one call. The agent that asked may look, and may call it off. */
import { type Request, type Response, Router } from 'express'
import { z } from 'zod'
import { approvalBody, decidedBody, ownApprovalBody } from '../bodies.ts'
import { presentsSession } from '../call.ts'
import type { PdpFront, Verdict } from '../front.ts'
import { PAGE, pageBody, pageOf } from '../page.ts'
import { agentOf, by, checkKey, personOf } from '../presented.ts'
import { checked, DIGEST, idIn, readObject, readQuery, time } from '../read.ts'
import { type Handler, serve } from '../serve.ts'
import { createWaiting, WAIT } from '../wait.ts'

export function approvals(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const shared = { router, front, door: 'either' } as const
  const persons = { router, front, door: 'person' } as const
  serve(persons, '/v1/approvals', { get: list(front) })
  serve(shared, '/v1/approvals/:id', { get: find(front), delete: cancel(front) })
  serve(persons, '/v1/approvals/:id/decision', { post: decide(front) })
  return router
}

const Status = z.enum(['pending', 'approved', 'denied', 'expired', 'cancelled', 'failed'])
const Query = z.strictObject({ ...PAGE, status: Status.optional(), wait: WAIT })

function list(front: PdpFront): Handler {
  const waitFor = createWaiting()
  return async (req, res) => {
    const person = await personOf(front, req, res, ['approver'])
    const { status = null, wait, ...page } = readQuery(Query, req)
    const bound = { caller: person.person.id, path: '/v1/approvals', status }
    const which = { ...pageOf(page, 'apr', bound), status }
    const listed = await waitFor(res, wait, {
      look: () => front.approvals.list(person, which),
      stateOf: ({ items }) => items.map((it) => `${it.id} ${it.status}`).join(),
    })
    res.json(pageBody(listed, approvalBody, bound))
  }
}

const OneQuery = z.strictObject({ wait: WAIT })

function find(front: PdpFront): Handler {
  const waitFor = createWaiting()
  return async (req, res) => {
    const look: Look = presentsSession(req)
      ? await lookAsAgent(front, req, res)
      : await lookAsPerson(front, req, res)
    const { wait } = readQuery(OneQuery, req)
    const seen = await waitFor(res, wait, { look, stateOf: ({ status }) => status })
    res.json(seen.body)
  }
}

type Look = () => Promise<{ readonly status: string; readonly body: object }>

async function lookAsAgent(front: PdpFront, req: Request, res: Response) {
  const { instance } = await agentOf(front, req, res)
  return async () => {
    const approval = await front.approvals.findForAgent(instance, idIn(req, 'apr'))
    return { status: approval.status, body: ownApprovalBody(approval) }
  }
}

async function lookAsPerson(front: PdpFront, req: Request, res: Response) {
  const person = await personOf(front, req, res, ['approver', 'sponsor', 'auditor', 'operator'])
  return async () => {
    const approval = await front.approvals.find(person, idIn(req, 'apr'))
    return { status: approval.status, body: approvalBody(approval) }
  }
}

/** The agent's own act: a person says no instead. */
function cancel(front: PdpFront): Handler {
  return async (req, res) => {
    const { instance, act } = await agentOf(front, req, res)
    const id = idIn(req, 'apr')
    res.json(ownApprovalBody(await front.approvals.cancel(instance, id, act)))
  }
}

const Body = z
  .strictObject({
    decision: z.enum(['approve', 'deny']),
    binding_hash: DIGEST,
    reason: z.string().max(1000).optional(),
    approved_until: time.optional(),
  })
  .transform(({ decision, binding_hash: bindingHash, reason = null, approved_until }): Verdict => ({
    ...{ decision, bindingHash, reason, approvedUntil: approved_until ?? null },
  }))

function decide(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['approver'])
    checkKey(req)
    const body = readObject(res)
    const verdict = checked(Body, body)
    const id = idIn(req, 'apr')
    const decided = await front.approvals.decide(person, id, verdict, by(req, res, person, body))
    if (decided.isRepeat) res.set('Idempotency-Replayed', 'true')
    res.json(decidedBody(decided))
  }
}
