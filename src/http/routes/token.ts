/** A workload's assertion and a consent → a session bound to the key of the DPoP proof. */
import { Router } from 'express'
import { sessionBody } from '../bodies.ts'
import type { PdpFront } from '../front.ts'
import { presentedBy } from '../presented.ts'
import { readForm } from '../read.ts'
import { serve } from '../serve.ts'

export function token(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'agent' }, '/oauth/token', {
    post: async (req, res) => {
      const opened = await front.identity.openSession(readForm(res), presentedBy(req, res))
      res.json(sessionBody(opened))
    },
  })
  return router
}
