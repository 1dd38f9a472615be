/** Has the checker look, as the stranger it is: a program of its own, told where things are. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { vkeyOf } from '../src/ledger/checkpoint.ts'
import { lookingAt, type Stage } from './stage.ts'

const CHECK = join(import.meta.dirname, 'check.ts')

/** @returns whether it found nothing; what it says goes to our standard output */
export async function runChecker({ world, journal }: Stage, mutations = 1000): Promise<boolean> {
  const { databaseUrl, targetUrl, logFiles, witnessFiles } = lookingAt(world)
  const origin = `${new URL(world.issuer).host}/v1/ledger`
  const key = createPublicKey(readFileSync(join(world.keysDir, 'ledger.key'), 'utf8'))
  const args = [
    ...['--journal', journal.file, '--database', databaseUrl, '--target', targetUrl],
    ...['--log', ...logFiles, '--witness', ...witnessFiles],
    ...['--vkey', vkeyOf(origin, key), '--origin', origin, '--mutations', String(mutations)],
  ]
  const child = spawn(process.execPath, [CHECK, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code === 0
}
