/** A payments service in Express. What comes after the middleware was allowed, and is spent. */
import express from 'express'
import { expressProcura } from '../../src/target/express.ts' // procura/target/express
import { listen, placeOfThisProcess, TOOL } from './place.ts'

const place = placeOfThisProcess()

listen((origin) => {
  const app = express()
  app.post(
    '/refunds',
    express.json(),
    expressProcura({ ...place, origin, tool: TOOL }),
    (req, res) => {
      const { amount, order_id: order } = req.body as { amount: number; order_id: string }
      const { decision_id: decision } = res.locals['procura'] as { decision_id: string }
      res.json({ refunded: amount, order, decision })
    },
  )
  return app
})
