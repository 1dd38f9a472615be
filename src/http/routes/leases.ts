/** Leases as operators look at them: what is over, and has not been confirmed by its target. */
import { Router } from 'express'
import { z } from 'zod'
import type { PdpFront } from '../front.ts'
import type { Unconfirmed } from '../front-stopping.ts'
import { PAGE, pageBody, pageOf } from '../page.ts'
import { personOf } from '../presented.ts'
import { readQuery } from '../read.ts'
import { type Handler, serve } from '../serve.ts'

const Query = z.strictObject({ ...PAGE, state: z.literal('unconfirmed').default('unconfirmed') })

export function leases(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'person' }, '/v1/leases', { get: list(front) })
  return router
}

function list(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator', 'auditor'])
    const { state, ...page } = readQuery(Query, req)
    const bound = { caller: person.person.id, path: '/v1/leases', state }
    const listed = await front.revocation.unconfirmed(person, pageOf(page, 'crd', bound))
    res.json(pageBody(listed, unconfirmedBody, bound))
  }
}

function unconfirmedBody({
  id,
  state,
  reason,
  target,
  tool,
  sponsor,
  agent,
  ...rest
}: Unconfirmed) {
  return {
    ...{ id, lease_id: id, status: state, reason, target, tool },
    ...{ sponsor_id: sponsor, agent_id: agent, consent_id: rest.consent },
    ...{ issued_at: rest.issuedAt.toISOString(), expires_at: rest.expiresAt.toISOString() },
    ...{ attempts: rest.attempts, next_try_at: rest.nextTryAt?.toISOString() ?? null },
  }
}
