import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePort, isFree, PORTS, withPort, withTwoPorts } from '../../src/cli/free-port.ts'
import { loadConfig } from '../../src/config.ts'

const HOST = '127.0.0.1'
/** Where Linux, unless told otherwise, begins to hand out ports to whoever connects. */
const OUTGOING_FROM = 32_768
const { config } = loadConfig({ PROCURA_PORT: '0' })

async function listening(port: number) {
  const server = createServer().listen(port, HOST)
  await once(server, 'listening')
  return server
}

it('a free port can be listened at, and no outgoing connection takes it before', async () => {
  for (let n = 0; n < 50; n += 1) {
    const port = await freePort(HOST)
    expect(port).toBeLessThan(OUTGOING_FROM)
    ;(await listening(port)).close()
  }
})

it('a free port is one that browsers go to', async () => {
  const bad = fetch(`http://${HOST}:${String(PORTS.first - 1)}`)
  await expect(bad).rejects.toMatchObject({ cause: { message: 'bad port' } })
  for (let n = 0; n < 50; n += 1) expect(await freePort(HOST)).toBeGreaterThanOrEqual(PORTS.first)
})

it('a port at which somebody listens is not free, and is when they stop', async () => {
  const port = await freePort(HOST)
  const server = await listening(port)
  expect(await isFree(HOST, port)).toBe(false)
  await once(server.close(), 'close')
  expect(await isFree(HOST, port)).toBe(true)
})

it('where two are wanted, the one after it is free as well', async () => {
  const { port } = await withTwoPorts(config)
  const both = [await listening(port), await listening(port + 1)]
  for (const server of both) server.close()
})

it('a port that was chosen stays', async () => {
  const chosen = { ...config, port: 4711 }
  expect(await withPort(chosen)).toEqual(chosen)
  expect(await withTwoPorts(chosen)).toEqual(chosen)
})

it('where nobody can listen at all, the system says why', async () => {
  await expect(freePort('192.0.2.1')).rejects.toThrow('EADDRNOTAVAIL')
})
