/** A sponsor's agents: registered, listed, retired for good. */
import { Router } from 'express'
import { z } from 'zod'
import { agentBody, revokedBody } from '../bodies.ts'
import type { PdpFront } from '../front.ts'
import { PAGE, pageBody, pageOf } from '../page.ts'
import { by, checkKey, personOf } from '../presented.ts'
import { anObject, checked, idIn, readObject, readQuery } from '../read.ts'
import { type Handler, serve } from '../serve.ts'

const Workload = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('oidc'),
    issuer: z.string().min(1).max(2048),
    subject: z.string().min(1).max(255),
  }),
  z.strictObject({ kind: z.literal('spiffe'), id: z.string().min(1).max(2048) }),
  z.strictObject({ kind: z.literal('jwk'), jwk: anObject }),
])
// Length is counted in what people see; which characters may be shown to them, the part decides.
const Body = z
  .strictObject({
    name: z.string().min(1).max(320),
    workload: Workload,
    description: z.string().max(2000).optional(),
  })
  .transform(({ description = null, ...body }) => ({ ...body, description }))

const READERS = ['sponsor', 'operator', 'auditor'] as const

export function agents(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'person' } as const
  serve(at, '/v1/agents', { get: list(front), post: register(front) })
  serve(at, '/v1/agents/:id', { get: find(front), delete: retire(front) })
  return router
}

function register(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor'])
    checkKey(req)
    const body = readObject(res)
    const wanted = checked(Body, body)
    const made = await front.agents.register(person, wanted, by(req, res, person, body))
    if (made.isRepeat) res.set('Idempotency-Replayed', 'true')
    res.status(201).location(`/v1/agents/${made.agent.id}`).json(agentBody(made))
  }
}

const Query = z.strictObject(PAGE)

function list(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, READERS)
    const bound = { caller: person.person.id, path: '/v1/agents' }
    const page = pageOf(readQuery(Query, req), 'agt', bound)
    res.json(pageBody(await front.agents.list(person, page), agentBody, bound))
  }
}

function find(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, READERS)
    res.json(agentBody(await front.agents.find(person, idIn(req, 'agt'))))
  }
}

function retire(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator'])
    const id = idIn(req, 'agt')
    res.json(revokedBody(await front.revocation.retire(person, id, by(req, res, person, null))))
  }
}
