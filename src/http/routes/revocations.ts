/** Stopping something for good, seeing first what that would stop, and how far its targets have confirmed. */
import { Router } from 'express'
import { z } from 'zod'
import { reachBody, revokedBody } from '../bodies.ts'
import type { PdpFront } from '../front.ts'
import { by, checkKey, personOf } from '../presented.ts'
import { CAUSE, checked, idIn, idOf, readObject, readQuery } from '../read.ts'
import { type Handler, serve } from '../serve.ts'

const Target = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('credential'), id: idOf('crd') }),
  z.strictObject({ kind: z.literal('delegation'), id: idOf('dlg') }),
  z.strictObject({ kind: z.literal('consent'), id: idOf('con') }),
  z.strictObject({ kind: z.literal('instance'), id: idOf('ins') }),
  z.strictObject({ kind: z.literal('agent'), id: idOf('agt') }),
  z.strictObject({ kind: z.literal('sponsor'), id: idOf('spn') }),
])
const Body = z
  .strictObject({ target: Target, cause: CAUSE, reason: z.string().min(1).max(1000).optional() })
  .transform(({ reason = null, ...body }) => ({ ...body, reason }))
const Query = z.strictObject({ dry_run: z.enum(['true', 'false']).optional() })

export function revocations(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'person' } as const
  serve(at, '/v1/revocations', { post: revoke(front) })
  serve(at, '/v1/revocations/:id', { get: find(front) })
  return router
}

function revoke(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator'])
    checkKey(req)
    const body = readObject(res)
    const { dry_run: dryRun } = readQuery(Query, req)
    const wanted = checked(Body, body)
    if (dryRun === 'true') {
      res.json(reachBody(await front.revocation.reach(person, wanted.target), wanted.target))
      return
    }
    const stopped = await front.revocation.revoke(person, wanted, by(req, res, person, body))
    if (stopped.isRepeat) res.set('Idempotency-Replayed', 'true')
    res.status(stopped.isNew ? 201 : 200).location(`/v1/revocations/${stopped.revocation.id}`)
    res.json(revokedBody(stopped))
  }
}

function find(front: PdpFront): Handler {
  return async (req, res) => {
    const person = await personOf(front, req, res, ['sponsor', 'operator', 'auditor'])
    res.json(revokedBody(await front.revocation.find(person, idIn(req, 'rev'))))
  }
}
