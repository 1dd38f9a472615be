import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { expect, it, onTestFinished } from 'vitest'
import { expressProcura } from '../../src/target/express.ts'
import { createCredentialKeys, createProofStore } from '../../src/target/verify.ts'

const ISSUER = 'https://broker.example'
const ORIGIN = 'https://payments.example'

it.each([
  ['refused', false],
  ['failed at', true],
] as const)(
  'a call that was given up is neither served nor answered again where it is %s',
  async (_how, isFailing) => {
    const served: string[] = []
    const failed: unknown[] = []
    const app = express()
    app.use((_req, res, next) => {
      next()
      // As a limit of time does it, which is over before the broker has answered.
      res.status(503).end('given up')
    })
    app.use(
      expressProcura({
        ...{ issuer: ISSUER, audience: ORIGIN, origin: ORIGIN, tool: 'payments.refund' },
        keys: createCredentialKeys({ issuer: ISSUER, load: () => Promise.resolve({ keys: [] }) }),
        args: () => {
          if (isFailing) throw new Error('no such arguments')
          return {}
        },
        isFirst: createProofStore(),
        redeem: () => Promise.reject(new Error('not asked')),
      }),
      (_req, res) => {
        served.push('served')
        res.end()
      },
    )
    app.use((error: unknown, _req: unknown, _res: unknown, _next: unknown) => failed.push(error))
    const server = createServer(app).listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const ask = async () => {
      const answer = await fetch(`http://127.0.0.1:${String(port)}/`, {
        headers: { Authorization: 'DPoP a.b.c', DPoP: 'a.b.c' },
      })
      return [answer.status, await answer.text()]
    }
    // The second is answered when the first has been looked at to its end.
    expect([await ask(), await ask()]).toEqual([
      [503, 'given up'],
      [503, 'given up'],
    ])
    expect([served, failed]).toEqual([[], []])
  },
)
