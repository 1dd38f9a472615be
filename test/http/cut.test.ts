/** Answers that are on their way when the connection breaks, or that nobody fetches. */
import { once } from 'node:events'
import type { Server, ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import express from 'express'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createServer } from '../../src/http/create-server.ts'
import { ISSUER } from '../fakes/front.ts'
import { head } from '../fakes/raw.ts'

const IDLE_MS = 1500

/** More than the system takes from us for somebody who reads nothing. */
const LARGE = Buffer.alloc(64 * 1024 * 1024, 'x')

let server: Server
let port: number
let answers: ServerResponse[]
const sockets: Socket[] = []
beforeEach(async () => {
  answers = []
  // As ours: with it even what is short would be sent as octets.
  const app = express().disable('etag')
  app.use((_req, res, next) => {
    answers.push(res)
    next()
  })
  app.get('/large', (_req, res) => {
    res.type('text').send(LARGE)
  })
  app.get('/late', (req, res) => {
    req.socket.destroy()
    res.send('It is made when there is nobody any more.')
  })
  server = createServer(app, ISSUER, [], IDLE_MS)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

/** Reads nothing until it is told to. */
function asking(...paths: readonly string[]): Socket {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.pause().write(paths.map((path) => head(`GET ${path}`)).join(''))
  return socket
}
const ends = () => answers.map(({ closed, writableFinished }) => ({ closed, writableFinished }))
const LOST = { closed: true, writableFinished: false }
const READ = { closed: true, writableFinished: true }

describe('an answer', () => {
  it.each(['destroy', 'resetAndDestroy'] as const)(
    '[DEL-23] that was not all out when its connection broke has not been sent: %s',
    async (breaking) => {
      const socket = asking('/large')
      await expect.poll(() => answers.map((it) => it.writableEnded)).toEqual([true])
      socket[breaking]()
      await expect.poll(ends).toEqual([LOST])
    },
  )

  it('[DEL-23] that was made when its connection was broken has not been sent', async () => {
    asking('/late', '/late')
    await expect.poll(ends).toEqual([LOST, LOST])
  })

  it('that was all out has been sent, though its connection broke right after', async () => {
    const socket = asking('/large')
    socket.resume()
    await expect.poll(ends).toEqual([READ])
    const closed = once(answers[0]?.req.socket ?? socket, 'close')
    socket.destroy()
    await closed
    expect(ends()).toEqual([READ])
  })

  it('of which nobody reads anything is given up, and what waits behind it', async () => {
    asking('/large', '/large')
    await expect.poll(ends).toEqual([LOST, LOST])
  })

  it('that is read slowly gets there', async () => {
    const socket = asking('/large')
    const began = performance.now()
    let received = 0
    let burst = 0
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length
      burst += chunk.length
      if (burst < LARGE.length / 16) return
      burst = 0
      socket.pause()
      setTimeout(() => socket.resume(), IDLE_MS / 5)
    })
    socket.resume()
    await expect.poll(() => received, { timeout: 8 * IDLE_MS }).toBeGreaterThan(LARGE.length)
    expect(performance.now() - began).toBeGreaterThan(2 * IDLE_MS)
    await expect.poll(ends).toEqual([READ])
  }, 20_000)
})
