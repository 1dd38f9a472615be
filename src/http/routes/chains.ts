/** On whose behalf something was done, or may be: the consent, each hop, and whether it all holds. */
import { Router } from 'express'
import { z } from 'zod'
import { BrokerError } from '../../domain/problems.ts'
import { isId } from '../../domain/ids.ts'
import type { PdpFront } from '../front.ts'
import { personOf } from '../presented.ts'
import { readQuery } from '../read.ts'
import { serve } from '../serve.ts'

const Query = z.strictObject({ include: z.literal('tokens').optional() })
const OF = ['con', 'dlg', 'dec', 'apr', 'crd'] as const

export function chains(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'person' }, '/v1/chains/:id', {
    get: async (req, res) => {
      const person = await personOf(front, req, res, ['auditor', 'sponsor'])
      const { include } = readQuery(Query, req)
      if (include !== undefined && !person.person.roles.includes('auditor')) {
        throw new BrokerError('role_required', { shown: { detail: 'Tokens are for auditors' } })
      }
      const { id } = req.params
      if (typeof id !== 'string' || !OF.some((prefix) => isId(prefix, id))) {
        throw new BrokerError('not_found')
      }
      res.json(await front.chains.find(id, person, { tokens: include !== undefined }))
    },
  })
  return router
}
