/** Empties a data folder of ours, and the place elsewhere where its database may lie. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { lockFolder } from '../../db/embedded/lock.ts'
import { CommandError, EXIT } from '../exit.ts'

/** All that this program ever puts into a data folder. */
const OURS =
  /^(locks|data\.path|postgres(ql)?([.-].*)?|keys|agents|services|people\.json|local\.json|checkpoints|ledger\.(jsonl|vkey)|demo|example)$/

/**
 * @param kept names that stay, and the folder with them
 * @throws CommandError when a broker uses the folder, or when it holds what is not ours
 */
export async function clearData(dataDir: string, kept: readonly string[] = []): Promise<void> {
  if (!existsSync(dataDir)) return
  const strange = readdirSync(dataDir).find((name) => !OURS.test(name))
  if (strange !== undefined) {
    const what = `${dataDir} holds ${strange}, which is not ours: nothing was deleted`
    throw new CommandError(what, EXIT.usage)
  }
  await lockFolder(dataDir) // Whoever has it keeps it.
  const pointer = join(dataDir, 'data.path')
  const elsewhere = existsSync(pointer) ? readFileSync(pointer, 'utf8').trim() : null
  if (elsewhere !== null && /^\/var\/tmp\/procura-[\w-]+$/.test(elsewhere)) remove(elsewhere)
  for (const name of readdirSync(dataDir)) if (!kept.includes(name)) remove(join(dataDir, name))
  if (kept.length === 0) remove(dataDir)
}

const remove = (path: string) => {
  rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}
