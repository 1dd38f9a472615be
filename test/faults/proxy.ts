/** A line that can be made slow, dead or lossy: TCP, between somebody and what they depend on. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export interface FaultProxy {
  readonly port: number
  /** Everything passes, at once. */
  heal(): void
  /** New connections lead to another port. */
  leadTo(port: number): void
  /** Each piece arrives that much later, in both directions. */
  delay(ms: number): void
  /** Nothing arrives any more, and nobody is told; what was sent meanwhile arrives after `heal`. */
  blackHole(): void
  /** The connections that there are stay silent for ever; new ones are not concerned. */
  forget(): void
  /** Connections are refused by being reset at once. */
  refuse(): void
  /** Resets every connection that there is. */
  reset(): void
  /** Ends what they are sent, while they may still send. */
  halfClose(): void
  /** Passes that many octets of the next answer, then resets the connection. */
  truncate(octets: number): void
  /**
   * Once: what is sent after somebody has said one of these words on a connection reaches its end, but
   * the answer that ends it does not. Resolves when an answer was lost.
   */
  loseAnswerTo(words: RegExp, how: 'reset' | 'silence'): Promise<void>
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
  /** The words were said on it, and their last answer has not come. */
  isMarked: boolean
  isDead: boolean
}

interface Losing {
  readonly words: RegExp
  readonly how: 'reset' | 'silence'
  readonly lost: () => void
}

const servers = new Set<Server>()
const open = new Set<Socket>()
afterAll(() => {
  for (const socket of open) socket.destroy()
  for (const server of servers) server.close()
})

/** What ends the answer of a PostgreSQL that is in no transaction: ReadyForQuery, idle. */
const POSTGRES_IDLE = Buffer.from([0x5a, 0, 0, 0, 5, 0x49])

export async function startProxy(upstream: number, ends = POSTGRES_IDLE): Promise<FaultProxy> {
  const pairs = new Set<Pair>()
  let port = upstream
  let lateMs = 0
  let isBlack = false
  let isRefusing = false
  let octetsLeft: number | null = null
  let losing: Losing | null = null

  const server = createServer({ noDelay: true }, (near) => {
    if (isRefusing) {
      near.resetAndDestroy()
      return
    }
    const far = connect({ port, host: '127.0.0.1', noDelay: true })
    const pair: Pair = { near, far, isMarked: false, isDead: false }
    pairs.add(pair)
    pipe(pair, near, far)
    pipe(pair, far, near)
    if (isBlack) pause(pair)
  })
  servers.add(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')

  function pipe(pair: Pair, from: Socket, to: Socket): void {
    const write = inTime(to)
    open.add(from)
    from.on('error', () => undefined)
    from.on('close', () => {
      open.delete(from)
      pairs.delete(pair)
      if (!pair.isDead) to.destroy()
    })
    from.on('end', () => to.end())
    from.on('data', (bytes: Buffer) => {
      if (pair.isDead) return
      if (from === pair.near) note(pair, bytes)
      else if (isSpoilt(pair, bytes)) return
      write(bytes)
    })
  }

  /** Writes after the delay, and never before what came earlier. */
  function inTime(to: Socket): (bytes: Buffer) => void {
    const queue: { readonly bytes: Buffer; readonly due: number }[] = []
    const flush = () => {
      while (queue[0] !== undefined && queue[0].due <= performance.now()) {
        const bytes = queue.shift()?.bytes
        if (to.writable) to.write(bytes ?? '')
      }
      const [next] = queue
      if (next !== undefined) setTimeout(flush, Math.max(1, next.due - performance.now()))
    }
    return (bytes) => {
      const isFirst = queue.push({ bytes, due: performance.now() + lateMs }) === 1
      if (isFirst) flush()
    }
  }

  function note(pair: Pair, bytes: Buffer): void {
    if (losing?.words.test(bytes.toString('latin1')) === true) pair.isMarked = true
  }

  function isSpoilt(pair: Pair, bytes: Buffer): boolean {
    if (losing !== null && pair.isMarked && bytes.includes(ends)) {
      const { how, lost } = losing
      losing = null
      if (how === 'reset') cut(pair)
      else pair.isDead = true // It stays open, and nothing will ever come.
      lost()
      return true
    }
    if (octetsLeft === null) return false
    pair.near.write(bytes.subarray(0, octetsLeft), () => {
      cut(pair)
    })
    pair.isDead = true
    octetsLeft = null
    return true
  }

  const pause = ({ near, far }: Pair) => {
    ;[near, far].forEach((socket) => socket.pause())
  }
  return {
    port: (server.address() as AddressInfo).port,
    heal() {
      lateMs = 0
      isBlack = false
      isRefusing = false
      for (const { near, far } of pairs) [near, far].forEach((socket) => socket.resume())
    },
    leadTo(other) {
      port = other
    },
    delay(ms) {
      lateMs = ms
    },
    blackHole() {
      isBlack = true
      pairs.forEach(pause)
    },
    forget() {
      for (const pair of pairs) {
        pair.isDead = true
        pairs.delete(pair)
      }
    },
    refuse() {
      isRefusing = true
      pairs.forEach(cut)
    },
    reset() {
      pairs.forEach(cut)
    },
    halfClose() {
      for (const { near } of pairs) near.end()
    },
    truncate(octets) {
      octetsLeft = octets
    },
    loseAnswerTo: (words, how) =>
      new Promise((resolve) => {
        losing = { words, how, lost: resolve }
      }),
  }
}

function cut({ near, far }: Pair): void {
  near.resetAndDestroy()
  far.destroy()
}
