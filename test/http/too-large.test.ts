/** Heads that are refused before they become a request, however they come in. */
import { once } from 'node:events'
import { type AddressInfo, connect, type Socket } from 'node:net'
import express from 'express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createServer } from '../../src/http/create-server.ts'
import { ISSUER } from '../fakes/front.ts'

const KIB = 1024
const app = express()
app.get('/', (_req, res) => {
  res.json({})
})
const server = createServer(app, ISSUER)
let port = 0
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  ;({ port } = server.address() as AddressInfo)
})
afterAll(async () => {
  server.closeAllConnections()
  await once(server.close(), 'close')
})

/** Each piece is read before the next is sent: whoever asks meanwhile has been answered. */
async function answered(pieces: readonly string[]): Promise<string> {
  const socket = connect(port, '127.0.0.1').setNoDelay()
  const told = textOf(socket)
  for (const piece of pieces) {
    socket.write(piece)
    const other = await fetch(`http://127.0.0.1:${String(port)}/`)
    await other.text()
  }
  return await told
}

async function textOf(socket: Socket): Promise<string> {
  let text = ''
  for await (const chunk of socket.setEncoding('utf8')) text += String(chunk)
  return text
}

describe('a head of more than 32 KiB', () => {
  const header = `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20 * KIB)}`
  const rest = 'x'.repeat(20 * KIB)

  it.each([
    ['in one piece', [header + rest]],
    ['in two', [header, rest]],
    ['and more behind it', [header, rest, rest]],
  ])('is 431 where its headers are long, %s', async (_, pieces) => {
    expect(await answered(pieces)).toMatch(/^HTTP\/1\.1 431 [^]*"code":"headers_too_large"/)
  })

  it('is 414 where its address is', async () => {
    const told = await answered([`GET /${'x'.repeat(40 * KIB)} HTTP/1.1\r\nHost: x\r\n\r\n`])
    expect(told).toMatch(/^HTTP\/1\.1 414 [^]*"code":"uri_too_long"/)
  })
})
