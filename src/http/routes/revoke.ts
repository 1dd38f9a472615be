/** RFC 7009: one token dies, for the agent that holds it or the service that it was minted for. */
import { Router } from 'express'
import { callOf } from '../call.ts'
import { malformed } from '../check-request.ts'
import type { PdpFront } from '../front.ts'
import { actOf, presentedBy } from '../presented.ts'
import { readForm } from '../read.ts'
import { serve } from '../serve.ts'

export function revoke(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'either' }, '/oauth/revoke', {
    post: async (req, res) => {
      const form = readForm(res)
      const presented = presentedBy(req, res)
      const client = await front.identity.client(form, presented)
      const act = client.kind === 'agent' ? client.act : actOf(client.service, presented)
      if (client.kind === 'service') {
        const { name: id } = client.service
        callOf(res).recognised({ kind: 'service', id, sponsor: null })
      }
      const token = form.get('token')
      if (token === undefined || token === '') throw malformed('token is missing')
      // Whether there was anything to stop is not told: RFC 7009 §2.2.
      await front.revocation.revokeShown(client, token, act)
      res.status(200).end()
    },
  })
  return router
}
