/** What a sponsor allows an agent: given, listed, withdrawn. Never edited. */
import { Router } from 'express'
import { z } from 'zod'
import type { Terms } from '../../domain/consent.ts'
import { readConstraints } from '../../domain/constraint-reading.ts'
import { consentBody, revokedBody } from '../bodies.ts'
import type { PdpFront } from '../front.ts'
import { PAGE, pageBody, pageOf } from '../page.ts'
import { by, checkKey, personOf } from '../presented.ts'
import { checked, idIn, idOf, PURPOSE, readBy, readObject, readQuery, time } from '../read.ts'
import { type Handler, serve } from '../serve.ts'

/** A tool's name or `a.b.*`; never `*` alone. */
const Scope = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*(\.[a-z][a-z0-9_-]*|\.\*)$/)

const isDistinct = (values: readonly string[]) => new Set(values).size === values.length

const Body = z
  .strictObject({
    agent_id: idOf('agt'),
    tools: z
      .array(Scope)
      .min(1)
      .max(64)
      .refine(isDistinct, { params: { rule: 'unique' } }),
    purpose: PURPOSE,
    constraints: readBy(readConstraints).default([]),
    expires_at: time,
    max_uses: z.int().min(1).max(1_000_000),
    max_hops: z.int().min(0).max(7).default(0),
    delegates: z
      .union([z.literal('same_sponsor'), z.array(idOf('agt')).min(1).max(64)])
      .default('same_sponsor'),
    max_ttl_seconds: z.int().min(1).max(3600).default(300),
  })
  .transform((body): Terms => ({
    ...{ agent: body.agent_id, tools: body.tools, purpose: body.purpose },
    ...{ constraints: body.constraints, expiresAt: body.expires_at, maxUses: body.max_uses },
    ...{ maxHops: body.max_hops, delegates: body.delegates },
    maxTtlSeconds: body.max_ttl_seconds,
  }))

const READERS = ['sponsor', 'operator', 'auditor'] as const

export function consents(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'person' } as const
  serve(at, '/v1/consents', { get: list(front), post: give(front) })
  serve(at, '/v1/consents/:id', { get: find(front), delete: withdraw(front) })
  return router
}

function give(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor'])
    checkKey(req)
    const body = readObject(res)
    const terms = checked(Body, body)
    const given = await front.consents.give(person, terms, by(req, res, person, body))
    if (given.isRepeat) res.set('Idempotency-Replayed', 'true')
    res.status(201).location(`/v1/consents/${given.consent.id}`).json(consentBody(given))
  }
}

const Query = z.strictObject({
  ...PAGE,
  agent_id: idOf('agt').optional(),
  status: z.enum(['active', 'used_up', 'expired', 'withdrawn']).optional(),
})

function list(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, READERS)
    const { agent_id: agent = null, status = null, ...page } = readQuery(Query, req)
    const bound = { caller: person.person.id, path: '/v1/consents', agent, status }
    const which = { ...pageOf(page, 'con', bound), agent, status }
    res.json(pageBody(await front.consents.list(person, which), consentBody, bound))
  }
}

function find(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, READERS)
    res.json(consentBody(await front.consents.find(person, idIn(req, 'con'))))
  }
}

function withdraw(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator'])
    const id = idIn(req, 'con')
    res.json(revokedBody(await front.revocation.withdraw(person, id, by(req, res, person, null))))
  }
}
