/** Port 0 as a number: the issuer is told to others, so it must be known before anybody listens. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { Config } from '../config.ts'

/** The same configuration; where it left the port open, with one that is free now. */
export async function withPort<C extends Config>(config: C): Promise<C> {
  if (config.port !== 0) return config
  return { ...config, port: await freePort(config.host) }
}

/** The same, where somebody else is to listen at the port after it. */
export async function withTwoPorts<C extends Config>(config: C): Promise<C> {
  const chosen = await withPort(config)
  if (config.port !== 0) return chosen
  return (await isFree(config.host, chosen.port + 1)) ? chosen : await withTwoPorts(config)
}

/**
 * Above the last that browsers and `fetch` refuse to go to (the Fetch standard's bad ports), and below those that
 * Linux, unless told otherwise, gives to outgoing connections, which come and go by the thousands.
 */
export const PORTS = { first: 10_081, last: 32_766 }
const TRIES_MAX = 100

/** One that is free now. Another who listens may take it before it is used; then that fails, and says so. */
export async function freePort(host: string): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const port = randomInt(PORTS.first, PORTS.last + 1)
    if (await isFree(host, port)) return port
  }
  throw new Error(`no port is free on ${host}, of ${String(PORTS.first)} to ${String(PORTS.last)}`)
}

/** Whether one may, and can, listen at it now. Rejects where there is no such host. */
export async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer().listen(port, host)
  try {
    await once(server, 'listening')
    await once(server.close(), 'close')
    return true
  } catch (error) {
    // Reserved by the system is as good as taken.
    if (/^E(ADDRINUSE|ACCES)$/.test((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
}
