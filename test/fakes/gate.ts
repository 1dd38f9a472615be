/** A way to a server in which everything can go wrong that goes wrong on ways. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { createHolding, type Held, type When } from './holding.ts'

/**
 * `refused`: nothing listens. `silent`: taken, and never answered. `late`: answered after that many
 * milliseconds. `cut`: what is asked arrives, and the answer never does. `nonsense`: answered by
 * something else. `twice`: each answer comes a second time.
 */
export type Way = 'open' | 'refused' | 'silent' | 'late' | 'cut' | 'nonsense' | 'twice'

export interface Gate {
  readonly port: number
  /** For whoever connects from now on; who is connected is cut off. */
  set(way: Way): Promise<void>
  /** So many octets may be asked before `cut` stops the answers. */
  cutAfter(octets: number): void
  /** Resolves when the next ask with these words in it is held; then the way is as it was. */
  hold(words: string, when: When): Promise<Held>
  /** What was to be held, and has not come, is not to be held any more. */
  letAll(): void
  stop(): Promise<void>
}

const LATE_MS = 8000

/** Open, on a free port of this machine. */
export async function startGate(behind: number): Promise<Gate> {
  const sockets = new Set<Socket>()
  let way: Way = 'open'
  let asksBeforeCut = 0
  const holding = createHolding()
  const server = createServer((here) => {
    keep(sockets, here)
    if (way === 'silent') {
      here.resume()
      return
    }
    if (way === 'nonsense') {
      here.end('SSH-2.0-OpenSSH_9.2p1\r\n')
      return
    }
    const there = connect(behind, '127.0.0.1')
    keep(sockets, there)
    if (holding.isArmed()) {
      holding.join(here, there)
      return
    }
    here.on('close', () => there.destroy())
    there.on('close', () => here.destroy())
    pass(way, here, there, asksBeforeCut)
  })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const shut = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  await listen(0)
  const { port } = server.address() as AddressInfo
  return {
    port,
    cutAfter(octets) {
      asksBeforeCut = octets
    },
    hold: (words, when) => holding.hold(words, when),
    letAll: () => {
      holding.clear()
    },
    async set(next) {
      way = next
      for (const socket of sockets) socket.destroy()
      if (next === 'refused') await shut()
      else if (!server.listening) await listen(port)
    },
    stop: () => (server.listening ? shut() : Promise.resolve()),
  }
}

function pass(way: Way, here: Socket, there: Socket, asksBeforeCut: number): void {
  let asked = 0
  here.on('data', (chunk) => {
    asked += chunk.length
    there.write(chunk)
  })
  there.on('data', (chunk) => {
    if (way === 'cut' && asked > asksBeforeCut) {
      here.destroy()
      return
    }
    if (way === 'late') {
      setTimeout(() => here.write(chunk), LATE_MS).unref()
      return
    }
    here.write(chunk)
    if (way === 'twice') here.write(chunk)
  })
}

function keep(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket)
  socket.on('error', () => undefined) // Its end is told by `close`.
  socket.on('close', () => sockets.delete(socket))
}
