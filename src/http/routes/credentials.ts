/** One credential for one tool call: asked for, looked at, given back. */
import { type Response, Router } from 'express'
import { z } from 'zod'
import type { CredentialId } from '../../domain/ids.ts'
import { bySystem, type CredentialRequest, type Presented } from '../../domain/request.ts'
import { givenBackBody, issuedBody, leaseBody, pendingBody, refusalOf } from '../bodies.ts'
import { callOf } from '../call.ts'
import type { CdpFront } from '../front.ts'
import { agentOf, checkKey, presentedBy } from '../presented.ts'
import { sendProblem } from '../problem.ts'
import { anObject, checked, idIn, idOf, PURPOSE, readObjectIn, readQuery } from '../read.ts'
import { type Handler, serve } from '../serve.ts'
import { createWaiting, WAIT } from '../wait.ts'

export const CredentialRequestBody = z
  .strictObject({
    tool: z.string().max(64),
    arguments: anObject,
    purpose: PURPOSE.optional(),
    justification: z.string().max(2000).optional(),
    ttl_seconds: z.int().min(1).max(3600).optional(),
    approval: idOf('apr').optional(),
  })
  .transform(({ ttl_seconds, ...body }) => ({ ...body, ttlSeconds: ttl_seconds }))

/** What is asked for, in the octets that were presented. @throws BrokerError 400 or 422 */
export function readCredentialRequest({ idempotencyKey, body }: Presented): CredentialRequest {
  checkKey(idempotencyKey)
  return checked(CredentialRequestBody, readObjectIn(body))
}

export function credentials(front: CdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'agent' } as const
  serve(at, '/v1/credentials', { post: request(front) })
  serve(at, '/v1/credentials/:id', { get: find(front), delete: giveBack(front) })
  return router
}

/** POST /v1/credentials. Takes the bytes, asks the broker, writes the answer. */
function request(front: CdpFront): Handler {
  return async (req, res) => {
    const presented = presentedBy(req, res)
    const outcome = await front.broker.requestCredential(presented, () =>
      readCredentialRequest(presented),
    )
    switch (outcome.kind) {
      case 'issued':
        if (outcome.credential === null) res.set('Idempotency-Replayed', 'true')
        else takeBackIfLost(front, res, outcome.lease.id)
        res.status(201).location(`/v1/credentials/${outcome.lease.id}`).json(issuedBody(outcome))
        break
      case 'ask':
        if (outcome.isRepeat) res.set('Idempotency-Replayed', 'true')
        res.status(202).location(`/v1/approvals/${outcome.approval.id}`).set('Retry-After', '5')
        res.json(pendingBody(outcome, front.issuer))
        break
      case 'deny':
        if (outcome.isRepeat) res.set('Idempotency-Replayed', 'true')
        sendProblem(req, res, outcome.answer.code, refusalOf(outcome.answer, outcome.decision))
        break
    }
  }
}

/** An answer that did not get out has reached nobody: what was made for it must not live on. */
function takeBackIfLost(front: CdpFront, res: Response, id: CredentialId): void {
  const lost = () => {
    if (res.writableFinished) return
    const taken = front.credentials.undelivered(id, bySystem(callOf(res).requestId))
    front.running.track(taken).catch((error: unknown) => {
      front.log.error({ error: nameOf(error) }, 'an undelivered credential lives to its end')
    })
  }
  if (res.closed) lost()
  else res.once('close', lost)
}

const nameOf = (error: unknown) => (error instanceof Error ? error.name : 'unknown')

const Query = z.strictObject({ wait: WAIT })

function find(front: CdpFront): Handler {
  const waitFor = createWaiting()
  return async (req, res) => {
    const { instance } = await agentOf(front, req, res)
    const { wait } = readQuery(Query, req)
    const id = idIn(req, 'crd')
    const lease = await waitFor(res, wait, {
      look: () => front.credentials.read(instance, id),
      stateOf: ({ state }) => state,
    })
    res.json(leaseBody(lease))
  }
}

function giveBack(front: CdpFront): Handler {
  return async (req, res) => {
    const { instance, act } = await agentOf(front, req, res)
    const given = await front.credentials.giveBack(instance, idIn(req, 'crd'), act)
    res.json(givenBackBody(given))
  }
}
