/**
 * `npm run mutate -- <group>`: breaks each line of a group's files in each way that Stryker knows,
 * and tells which of them no test minds. Fails below 80 % killed.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { GROUPS, isGroup } from './groups.ts'

const ROOT = join(import.meta.dirname, '..')
const [name, only] = process.argv.slice(2)
if (isGroup(name)) process.exitCode = mutate(name, only)
else {
  console.error(`Which group? ${Object.keys(GROUPS).join(', ')}`)
  process.exitCode = 2
}

/** `only` narrows the group to a file, or to lines of one: `src/domain/json.ts:20-40`. */
function mutate(group: keyof typeof GROUPS, only?: string): number {
  const files = only?.split(',') ?? GROUPS[group].mutate
  const mutated = files.flatMap(found).join(',') // A brace would be cut at its commas.
  const args = ['run', 'mutation/stryker.config.json', '--mutate', mutated]
  const env = { ...process.env, MUTATE: group }
  return spawnSync('stryker', args, { cwd: ROOT, env, stdio: 'inherit' }).status ?? 1
}

/** Of nothing, all would be killed: a name that no file has is an error. */
function found(path: string): string[] {
  const [name = '', ...lines] = path.split(':')
  const files = globSync(name, { cwd: ROOT })
  if (files.length === 0) throw new Error(`No file is called ${name}`)
  return files.map((file) => [file, ...lines].join(':'))
}
