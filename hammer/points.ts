/**
 * Loaded into a broker before its own code (`node --import`): plants the points at which it can be killed,
 * stopped or disturbed. Nothing of this is in what is shipped, and nothing there knows of it.
 *
 * Armed by PROCURA_FAULT=FP7:kill:3 from the start, or by a message of the parent while it runs.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { devNull } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { arm, passing, Planted, readFaults, strike } from './fault.ts'
import { hookServers } from './hook-http.ts'
import { hookDatabases } from './hook-pg.ts'
import { SYNCED } from './places.ts'

/** What a parent may ask for. */
export interface Asked {
  /** Faults to arm in place of those before; none is named to disarm. */
  readonly arm?: string
  readonly measure?: true
}

/** Octets, as `process.memoryUsage()` has them. */
export interface Measured {
  readonly rss: number
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  /** Since the last measurement, milliseconds. */
  readonly loopDelayMs: { readonly p99: number; readonly max: number }
}

hookDatabases()
hookServers()
await hookSyncing()

const first = process.env['PROCURA_FAULT'] ?? ''
delete process.env['PROCURA_FAULT'] // The broker tells what it does not know.
if (first !== '') arm(readFaults(first))

const delay = monitorEventLoopDelay({ resolution: 10 })
delay.enable()

process.on('message', ({ arm: faults, measure }: Asked) => {
  if (faults !== undefined) arm(faults === '' ? [] : readFaults(faults))
  process.send?.(measure ? measured() : {})
})
// Whoever drives it is gone: then this has no reason to be here.
process.on('disconnect', () => {
  process.kill(process.pid, 'SIGKILL')
})
process.channel?.unref()

function measured(): Measured {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  const loopDelayMs = { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }
  delay.reset()
  return { rss, heapUsed, heapTotal, external, loopDelayMs }
}

/** The witness's file is the one file that a broker syncs. */
async function hookSyncing(): Promise<void> {
  const handle = await open(devNull, 'r')
  const prototype = Object.getPrototypeOf(handle) as Pick<FileHandle, 'sync'>
  await handle.close()
  const sync = prototype.sync
  prototype.sync = async function (this: FileHandle) {
    const fault = passing(SYNCED, (kind) => kind === 'kill' || kind === 'stop' || kind === 'throw')
    if (fault?.kind === 'throw') throw new Planted(fault.point)
    if (fault?.kind === 'kill' || fault?.kind === 'stop') strike(fault.kind)
    await sync.call(this)
  }
}
