/** RFC 7662: whether a credential is live, told to the service that it was minted for. Spends nothing. */
import { Router } from 'express'
import { malformed } from '../check-request.ts'
import type { PdpFront } from '../front.ts'
import { serviceOf } from '../presented.ts'
import { readForm } from '../read.ts'
import { serve } from '../serve.ts'

export function introspect(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'service' }, '/oauth/introspect', {
    post: async (req, res) => {
      // The assertion is in the form, so that here the form is read first.
      const form = readForm(res)
      const assertion = form.get('client_assertion') ?? null
      const service = await serviceOf(front, req, res, isBearer(form) ? assertion : null)
      const token = form.get('token')
      if (token === undefined || token === '') throw malformed('token is missing')
      const claims = await front.introspect(service, token)
      res.json(claims === null ? { active: false } : { ...claims, active: true })
    },
  })
  return router
}

const isBearer = (form: ReadonlyMap<string, string>) =>
  form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
