/** One broker at a time in a data folder, and a lock that a `kill -9` does not leave behind. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bornAt } from './processes.ts'

/**
 * Takes the folder for this process and returns what gives it back. Throws, naming the other's pid,
 * when another has it.
 *
 * Each writes a file of its own first and then looks for others, so that of two at once never both
 * go on. A name holds when its process began: what a dead one left is known, and removing it hurts
 * nobody.
 */
export async function lockFolder(dataDir: string): Promise<() => void> {
  const locks = join(dataDir, 'locks')
  mkdirSync(locks, { recursive: true })
  const name = `${String(process.pid)}.${(bornAt(process.pid) ?? '').replace(/\W+/g, '-')}`
  const release = () => {
    rmSync(join(locks, name), { force: true })
  }
  for (let tries = 4; ; tries -= 1) {
    take(join(locks, name), dataDir)
    const other = otherHolder(locks, name)
    if (other === null) return release
    release()
    if (tries === 0) throw inUse(dataDir, other)
    await delay(20 + Math.random() * 80) // Both may have stepped back from one another.
  }
}

function take(file: string, dataDir: string): void {
  try {
    writeFileSync(file, '', { flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw inUse(dataDir, process.pid)
    throw error
  }
}

function otherHolder(locks: string, mine: string): number | null {
  for (const name of readdirSync(locks)) {
    const [pid = '', born = ''] = name.split('.')
    if (name === mine) continue
    if (bornAt(Number(pid))?.replace(/\W+/g, '-') === born) return Number(pid)
    rmSync(join(locks, name), { force: true })
  }
  return null
}

function inUse(dataDir: string, pid: number): Error {
  return new Error(
    `${dataDir} is in use by the broker with pid ${String(pid)}. ` +
      'Stop that one, name another data folder, or let both use one server by DATABASE_URL.',
  )
}
