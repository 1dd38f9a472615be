/** What the operating system says of a process, so that a number is never mistaken for the process it once was. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const isLinux = process.platform === 'linux'

/** When this process began, in the system's own words; `null` when it is not running (a zombie is not). */
export function bornAt(pid: number): string | null {
  if (!isLinux) return ps(pid, 'lstart=')
  const stat = attempt(() => readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') // proc(5): the name may hold blanks
  const [state, started] = [fields?.[0], fields?.[19]]
  return state === undefined || started === undefined || 'ZX'.includes(state) ? null : started
}

/** Whether the process of this number is the postmaster of that data folder, and no other. */
export function isPostmaster(pid: number, data: string): boolean {
  if (!isLinux) return ps(pid, 'command=')?.includes(`postgres -D ${data} `) ?? false
  const [program = '', option, folder] = commandOf(pid)
  return basename(program) === 'postgres' && option === '-D' && folder === data
}

/** Whether the number is taken, be it by a stranger or by a zombie: what `postgres` itself looks at. */
export function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Sends a signal. A process that has ended meanwhile has no need of it. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Looks every 15 ms. Answers whether the condition came true within that many seconds. */
export async function comesTrue(seconds: number, condition: () => boolean): Promise<boolean> {
  const end = performance.now() + seconds * 1000
  while (!condition()) {
    if (performance.now() > end) return false
    await delay(15)
  }
  return true
}

function commandOf(pid: number): string[] {
  return attempt(() => readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').split('\0')) ?? []
}

function ps(pid: number, column: string): string | null {
  const text = attempt(() =>
    execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], { encoding: 'utf8' }),
  )
  return text?.trim() ? text.trim() : null
}

/** A process may end between two looks: then there is nothing to read, which is the answer. */
function attempt<T>(look: () => T): T | null {
  try {
    return look()
  } catch {
    return null
  }
}
