/** What PostgreSQL and the disk have to do with it: their time, read from the system where it tells. */
import {
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { withClient } from './world.ts'

const BLOCK = 8192
const SYNCS = 200
/** USER_HZ: what /proc counts in, on every Linux that Node runs on. */
const MICROS_A_TICK = 10_000

/** Microseconds that writing one block and syncing it takes here, the median of many. */
export function syncMicros(folder: string): number {
  const path = join(folder, 'sync-probe')
  const file = openSync(path, 'w')
  const block = Buffer.alloc(BLOCK, 1)
  const taken = Array.from({ length: SYNCS }, () => {
    const began = performance.now()
    writeSync(file, block, 0, BLOCK, 0)
    fdatasyncSync(file)
    return (performance.now() - began) * 1000
  })
  closeSync(file)
  unlinkSync(path)
  return taken.sort((one, other) => one - other)[SYNCS / 2] ?? NaN
}

export interface PostgresMeter {
  /** User and system time of all its processes, those that ended too. NaN where /proc does not tell. */
  cpuMicros(): number
}

export async function meterPostgres(url: string): Promise<PostgresMeter> {
  const postmaster = await withClient(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    return statOf(rows[0]?.pid ?? 0)?.parent // While it is still there.
  })
  return { cpuMicros: () => (postmaster === undefined ? NaN : micros(postmaster)) }
}

function micros(postmaster: number): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const ticks = all.map((pid) => {
    const stat = statOf(Number(pid))
    if (stat === null) return 0
    if (stat.pid === postmaster) return stat.own + stat.ofTheDead
    return stat.parent === postmaster ? stat.own : 0
  })
  return ticks.reduce((sum, each) => sum + each, 0) * MICROS_A_TICK
}

/** proc(5): fields are counted from the end of the name, which may hold anything. `null`: it is gone. */
function statOf(pid: number) {
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number)
    const field = (nth: number) => fields[nth - 3] ?? NaN
    return { pid, parent: field(4), own: field(14) + field(15), ofTheDead: field(16) + field(17) }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null
    throw error
  }
}
