/** What was stopped, and how far its targets have confirmed it. */
import { Router } from 'express'
import { revokedBody } from '../bodies.ts'
import type { Front } from '../front.ts'
import { personOf } from '../presented.ts'
import { idIn } from '../read.ts'
import { serve } from '../serve.ts'

export function revocations(front: Front): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'person' }, '/v1/revocations/:id', {
    get: async (req, res) => {
      const person = await personOf(front, req, res, ['sponsor', 'operator', 'auditor'])
      res.json(revokedBody(await front.revocation.find(person, idIn(req, 'rev'))))
    },
  })
  return router
}
