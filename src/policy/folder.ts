/** A policy set in a folder. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isPolicyFile, type PolicyFiles } from './files.ts'

/** The files of a set, by their names within the folder. Anything else in it is left alone. */
export async function readFolder(folder: string): Promise<PolicyFiles> {
  const [top, tools] = await Promise.all([readdir(folder), readdir(join(folder, 'tools'))])
  const names = [...top, ...tools.map((name) => `tools/${name}`)].filter(isPolicyFile)
  const read = names.map(
    async (name) => [name, await readFile(join(folder, name), 'utf8')] as const,
  )
  return Object.fromEntries(await Promise.all(read))
}
