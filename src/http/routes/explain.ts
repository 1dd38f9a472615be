/** The answer that a credential request would get now, and why. Nothing is spent, opened or issued. */
import { Router } from 'express'
import type { PdpFront } from '../front.ts'
import { presentedBy } from '../presented.ts'
import { read } from '../read.ts'
import { serve } from '../serve.ts'
import { explainBody } from '../settled-body.ts'
import { CredentialRequestBody } from './credentials.ts'

export function explain(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'agent' }, '/v1/explain', {
    post: async (req, res) => {
      const settled = await front.decider.explain(presentedBy(req, res), () =>
        read(CredentialRequestBody, res),
      )
      res.json(explainBody(settled))
    },
  })
  return router
}
