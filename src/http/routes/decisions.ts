/** What was decided, why, and what came of it. */
import { Router } from 'express'
import { presentsSession } from '../call.ts'
import type { PdpFront } from '../front.ts'
import { agentOf, personOf } from '../presented.ts'
import { idIn } from '../read.ts'
import { serve } from '../serve.ts'

/** What the asking agent is shown; the rest is for those who look into it. */
const FOR_AGENTS = ['id', 'at', 'answer', 'code', 'level', 'evaluation']

export function decisions(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  serve({ router, front, door: 'either' }, '/v1/decisions/:id', {
    get: async (req, res) => {
      if (presentsSession(req)) {
        const { instance } = await agentOf(front, req, res)
        const decision = await front.decisions.find(idIn(req, 'dec'), instance)
        res.json(Object.fromEntries(FOR_AGENTS.map((name) => [name, decision[name]])))
      } else {
        const person = await personOf(front, req, res, ['auditor', 'sponsor'])
        res.json(await front.decisions.find(idIn(req, 'dec'), person))
      }
    },
  })
  return router
}
