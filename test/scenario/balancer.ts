/** What stands before several brokers: each connection goes to the next of them. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export interface Balancer {
  /** The issuer that all of them share. */
  readonly origin: string
  readonly to: (...ports: readonly number[]) => void
  /** Connections each was given. */
  readonly given: () => readonly number[]
}

const servers: Server[] = []
const open = new Set<Socket>()

export async function startBalancer(): Promise<Balancer> {
  let upstreams: readonly number[] = []
  const given = new Map<number, number>()
  let turn = 0
  const server = createServer((socket) => {
    const port = upstreams[turn % upstreams.length] ?? 0
    turn += 1
    given.set(port, (given.get(port) ?? 0) + 1)
    join(socket, connect(port, '127.0.0.1'))
  })
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://localhost:${String(port)}`,
    to: (...ports) => (upstreams = ports),
    given: () => upstreams.map((upstream) => given.get(upstream) ?? 0),
  }
}

function join(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    open.add(from)
    from.pipe(to)
    from.on('error', () => to.destroy())
    from.on('close', () => {
      open.delete(from)
      to.destroy()
    })
  }
}

afterAll(() => {
  for (const socket of open) socket.destroy()
  for (const server of servers) server.close()
})
