/** Port 0 as a number: the issuer is told to others, so it must be known before anybody listens. */
import { createServer, type AddressInfo } from 'node:net'
import type { Config } from '../config.ts'

/** The same configuration; where it left the port to the system, with one that is free now. */
export async function withPort<C extends Config>(config: C): Promise<C> {
  if (config.port !== 0) return config
  return { ...config, port: await freePort(config.host) }
}

/** Somebody may take it before it is used; then listening fails, and says so. */
export function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => {
        resolve(port)
      })
    })
  })
}
