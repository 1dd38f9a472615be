/** For whoever runs this: alive, ready, counted. No name or id of anybody is in it. */
import { Router } from 'express'
import type { BaseFront } from '../front.ts'
import { serve } from '../serve.ts'

export function health(front: BaseFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'public' } as const
  serve(at, '/livez', {
    get: (_req, res) => {
      res.set('Cache-Control', 'no-store').json({ status: 'ok' })
    },
  })
  serve(at, '/readyz', {
    get: async (_req, res) => {
      const { failing, ...more } = await front.health.ready()
      const state = failing === null ? { status: 'ok' } : { status: 'failing', failing }
      res
        .set('Cache-Control', 'no-store')
        .status(failing === null ? 200 : 503)
        .json({ ...state, ...more })
    },
  })
  serve(at, '/metrics', {
    get: async (_req, res) => {
      const text = await front.metrics()
      res.set('Cache-Control', 'no-store').type('text/plain; version=0.0.4').send(text)
    },
  })
  return router
}
