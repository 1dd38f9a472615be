/** A line that drops what a connection asks for as it begins, as a pooler does that was told to ignore it. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'

const open = new Set<Socket>()
const servers = new Set<ReturnType<typeof createServer>>()
afterAll(() => {
  for (const socket of open) socket.destroy()
  for (const server of servers) server.close()
})

/** The port that it listens at. */
export async function startForgetful(upstream: number): Promise<number> {
  const server = createServer((near) => {
    const far = connect(upstream, '127.0.0.1')
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(socket)
      socket.on('error', () => other.destroy())
      socket.on('close', () => other.destroy())
    }
    near.once('data', (startup: Buffer) => {
      far.write(withoutOptions(startup))
      near.pipe(far)
    })
    far.pipe(near)
  })
  servers.add(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** StartupMessage: its length, the protocol's version, then names and values, each ended by a NUL, and a NUL. */
function withoutOptions(startup: Buffer): Buffer {
  const words = startup.toString('latin1', 8).split('\0')
  const at = words.indexOf('options')
  if (at >= 0) words.splice(at, 2)
  const rest = Buffer.from(words.join('\0'), 'latin1')
  const head = Buffer.from(startup.subarray(0, 8))
  head.writeInt32BE(8 + rest.length)
  return Buffer.concat([head, rest])
}
