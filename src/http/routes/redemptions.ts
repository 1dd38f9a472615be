/** A target spends a credential, once. */
import { Router } from 'express'
import { z } from 'zod'
import { redemptionBody } from '../bodies.ts'
import type { CdpFront } from '../front.ts'
import type { Spending } from '../front-delivering.ts'
import { by, checkKey, serviceOf } from '../presented.ts'
import { checked, DIGEST, readObject, TOOL } from '../read.ts'
import { serve } from '../serve.ts'

const Common = { token: z.string().min(1).max(8192), tool: TOOL, args_hash: DIGEST }
const Dpop = z.strictObject({
  proof: z.string().min(1).max(4096),
  htm: z.string().min(1).max(32),
  htu: z.string().min(1).max(8192),
})
const Body = z
  .strictObject({ ...Common, dpop: Dpop.optional(), proof_checked: z.literal(true).optional() })
  .refine(({ dpop, proof_checked }) => (dpop === undefined) === (proof_checked === true), {
    params: { rule: 'exactly one of dpop and proof_checked' },
  })
  .transform(({ token, tool, args_hash: argsHash, dpop = null }): Spending => ({
    ...{ token, tool, argsHash, dpop },
  }))

export function redemptions(front: CdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'service' }, '/v1/redemptions', {
    post: async (req, res) => {
      const service = await serviceOf(front, req, res)
      checkKey(req)
      const body = readObject(res)
      const spending = checked(Body, body)
      const spent = await front.credentials.redeem(service, spending, by(req, res, service, body))
      if (spent.isRepeat) res.set('Idempotency-Replayed', 'true')
      res.json(redemptionBody(spent))
    },
  })
  return router
}
