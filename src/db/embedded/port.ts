/** Which port the server listens on: the one it had before, so that those who know it find it again. */
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** A port that is free now: the one the file remembers, or else any. Somebody may yet take it first. */
export async function choosePort(file: string): Promise<number> {
  const before = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0
  return (await freePort(before)) ?? (await freePort(0)) ?? 0
}

export function rememberPort(file: string, port: number): void {
  writeFileSync(file, String(port))
}

async function freePort(wish: number): Promise<number | null> {
  const server = createServer().listen(wish, '127.0.0.1')
  try {
    await once(server, 'listening')
    const address = server.address()
    return typeof address === 'object' ? (address?.port ?? null) : null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return null
    throw error
  } finally {
    server.close()
  }
}
