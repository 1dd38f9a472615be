/** A way to a server that can be shut: then its port refuses, as if nothing ran there. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

export interface Gate {
  readonly port: number
  open(): Promise<void>
  /** Who is connected is cut off. */
  shut(): Promise<void>
  /** As `shut`, whether it is open or not. */
  stop(): Promise<void>
}

/** Open, on a free port of this machine. */
export async function startGate(behind: number): Promise<Gate> {
  const through = new Set<Socket>()
  const server = createServer((here) => {
    const there = connect(behind, '127.0.0.1')
    for (const [one, other] of [
      [here, there],
      [there, here],
    ] as const) {
      through.add(one)
      one.on('error', () => undefined) // Its end is told by `close`.
      one.on('close', () => {
        through.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  const shut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of through) socket.destroy()
    await closed
  }
  return {
    ...{ port, shut, open: () => listen(port) },
    stop: () => (server.listening ? shut() : Promise.resolve()),
  }
}
