/** Port 0 as a number: the issuer is told to others, so it must be known before anybody listens. */
import { createServer, type AddressInfo } from 'node:net'
import type { Config } from '../config.ts'

/** The same configuration; where it left the port to the system, with one that is free now. */
export async function withPort<C extends Config>(config: C): Promise<C> {
  if (config.port !== 0) return config
  return { ...config, port: await freePort(config.host) }
}

/** The same, where somebody else is to listen at the port after it. */
export async function withTwoPorts<C extends Config>(config: C): Promise<C> {
  const chosen = await withPort(config)
  if (config.port !== 0) return chosen
  const isFree = await freePort(config.host, chosen.port + 1).then(
    () => true,
    () => false,
  )
  return isFree ? chosen : await withTwoPorts(config)
}

/** Somebody may take it before it is used; then listening fails, and says so. */
export function freePort(host: string, wish = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(wish, host, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
