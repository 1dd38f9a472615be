/** A server that begins to listen, and one that ends with nobody cut off in the middle of an answer. */
import type { Server } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import { Server as NetServer } from 'node:net'

export const DRAIN_MS = 25_000
const IDLE_LOOK_MS = 50

/** @throws Error when somebody listens there already */
export function listenAt(
  server: Server | TlsServer,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A connection goes when it has been idle for that long; whoever is being answered has until the end of the drain. */
export function endListening(server: Server | TlsServer, unusedMs: number): Promise<void> {
  const since = performance.now()
  return new Promise((resolve) => {
    const idle = setInterval(() => {
      if (performance.now() - since >= unusedMs) server.closeIdleConnections()
    }, IDLE_LOOK_MS)
    const late = setTimeout(() => {
      server.closeAllConnections()
    }, DRAIN_MS)
    // Its own `close` cuts off at once whoever is idle, and may be sending just now.
    NetServer.prototype.close.call(server, () => {
      clearInterval(idle)
      clearTimeout(late)
      resolve()
    })
  })
}
