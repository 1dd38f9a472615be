/** Ends the server that a killed broker left behind, and nothing else. */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Home } from './home.ts'
import { mayBeWorkedIn } from './owner.ts'
import { comesTrue, isPostmaster, isTaken, signal } from './processes.ts'

const SIGNALS = [
  ['SIGINT', 40], // A fast shutdown.
  ['SIGQUIT', 10], // At once: the next start recovers what was committed.
] as const

/**
 * Leaves the folder free for a start. The pid on file is believed only where its process is a
 * postmaster at work in this very folder.
 */
export async function endLeftover({ data, owner }: Place): Promise<void> {
  const pid = Number.parseInt(statusLines(data)[0] ?? '', 10)
  if (!(pid > 0)) return
  const isGone = () => !isPostmaster(pid, data)
  for (const [name, seconds] of SIGNALS) {
    if (!isGone()) signal(pid, name)
    if (await comesTrue(seconds, isGone)) break
  }
  if (!isGone()) throw new Error(`The PostgreSQL with pid ${String(pid)} in ${data} does not end.`)
  await clearPidFile({ data, owner }, pid)
}

/** `postmaster.pid`: its pid, folder, start, port, socket, address, memory and state, a line each. */
export function statusLines(data: string): string[] {
  try {
    return readFileSync(pidFile(data), 'utf8').split('\n')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/**
 * The file of a dead server postgres clears itself, having made sure that none of its children is
 * left. Only where a stranger has the number by now it would not: then nobody may be at work there.
 */
async function clearPidFile({ data, owner }: Place, pid: number): Promise<void> {
  if (!isTaken(pid) || statusLines(data).length === 0) return
  if (!(await comesTrue(10, () => !mayBeWorkedIn(owner, data)))) {
    const file = pidFile(data)
    throw new Error(`If no PostgreSQL runs in ${data}, delete ${file} and start again.`)
  }
  rmSync(pidFile(data), { force: true })
}

function pidFile(data: string): string {
  return join(data, 'postmaster.pid')
}

type Place = Pick<Home, 'data' | 'owner'>
