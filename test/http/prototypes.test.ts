import type { Server } from 'node:http'
import { createServer as createPlainServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type Express, Router } from 'express'
import { describe, expect, it } from 'vitest'
import { createServer } from '../../src/http/create-server.ts'
import { ISSUER } from '../fakes/front.ts'
import { sendRaw } from '../fakes/raw.ts'

async function serving<T>(server: Server, use: (url: string) => Promise<T>): Promise<T> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await use(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`)
  } finally {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  }
}

function anApp(): Express {
  const app = express()
  app.use(
    Router().get('/mounted', (req, res) => void res.json({ ip: req.ip, host: req.get('host') })),
  )
  app.get('/away', (_req, res) => {
    res.redirect('/mounted')
  })
  app.get('/app', (req, res) => {
    res.json({ isOwn: req.app === app && res.app === app, type: req.accepts('json') })
  })
  return app
}

describe('the server', () => {
  it('is Express as it is anywhere: routers, answers, redirects', async () => {
    await serving(createServer(anApp(), ISSUER), async (url) => {
      const mounted = await (await fetch(`${url}/mounted`)).json()
      expect(mounted).toEqual({ ip: '127.0.0.1', host: new URL(url).host })
      expect((await fetch(`${url}/away`, { redirect: 'manual' })).headers.get('location')).toBe(
        '/mounted',
      )
      expect(await (await fetch(`${url}/app`)).json()).toEqual({ isOwn: true, type: 'json' })
    })
  })

  it('never changes the prototype of a request, and stock Express does', async () => {
    const changed = async (make: (app: Express) => Server) => {
      const app = anApp()
      const seen: boolean[] = []
      const server = make(app)
      server.prependListener('request', (req, res) => {
        const request: unknown = Object.getPrototypeOf(req)
        const response: unknown = Object.getPrototypeOf(res)
        seen.push(request !== app.request || response !== app.response)
      })
      await serving(server, (url) => fetch(`${url}/app`))
      return seen
    }
    expect(await changed((app) => createServer(app, ISSUER))).toEqual([false])
    expect(await changed((app) => createPlainServer(app))).toEqual([true])
  })

  it('closes a connection on which nothing sensible comes, with a problem document', async () => {
    await serving(createServer(anApp(), ISSUER), async (url) => {
      const answer = await sendRaw(Number(new URL(url).port), 'NONSENSE\r\n\r\n')
      expect([answer.status, answer.body['code']]).toEqual([400, 'malformed_request'])
    })
  })

  it('has the time limits that a slow caller runs into, and a proxied call does not', () => {
    const server = createServer(anApp(), ISSUER)
    expect(server.headersTimeout).toBeLessThanOrEqual(10_000)
    expect(server.requestTimeout).toBeLessThanOrEqual(30_000)
    // Ten minutes is the most that a target may be given.
    expect(server.timeout).toBeGreaterThan(12 * 60_000)
    expect(server.timeout).toBeLessThanOrEqual(15 * 60_000)
  })
})
