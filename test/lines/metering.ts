/** Asks the meter that was loaded into a broker. */
import { readFileSync } from 'node:fs'
import { parseTrusted } from '../../src/domain/json.ts'
import { eventually } from '../scenario/house.ts'
import { HELD_MS_MAX } from './held.ts'
import type { Replica } from './world.ts'

export interface Metered {
  readonly asked: number
  readonly pid: number
  /** Of the longest turn since the last asking; 0 where none took a tenth of a second. */
  readonly heldMs: number
  /** The same, with what was charged to the thread while nobody saw it run. */
  readonly usedMs: number
  /** In octets. */
  readonly rss: number
}

export async function metered(replica: Replica): Promise<Metered> {
  const after = meterIn(replica.meter)?.asked ?? 0
  replica.signal('SIGUSR2')
  const told = await eventually('what the meter says', () => {
    const said = meterIn(replica.meter)
    return Promise.resolve(said !== null && said.asked > after ? said : null)
  })
  const [used, held] = [told.usedMs, told.heldMs]
  if (used >= HELD_MS_MAX && held < HELD_MS_MAX) {
    process.stdout.write(`  a turn of ${String(used)} ms was seen to run for ${String(held)} ms\n`)
  }
  return told
}

function meterIn(file: string): Metered | null {
  try {
    return parseTrusted(readFileSync(file, 'utf8')) as unknown as Metered
  } catch {
    return null // Not written yet, or not yet whole.
  }
}
