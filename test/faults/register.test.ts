/** Which faults are tried by a test, which by a command, and which wait for a part that is not built. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { BY_COMMAND, FAULTS, HELD_ELSEWHERE, NOT_BUILT } from './register.ts'

const TESTS = join(import.meta.dirname, '..')
const read = (...path: string[]) => readFileSync(join(TESTS, ...path), 'utf8')

/** The ids in square brackets in the titles of all tests. */
function named(): Set<string> {
  const ids = new Set<string>()
  for (const file of globSync('**/*.test.ts', { cwd: TESTS })) {
    for (const [bracket] of read(file).matchAll(/\[[^\]\n]*\bF\d\d\b[^\]\n]*\]/g)) {
      for (const [id] of bracket.matchAll(/\bF\d\d\b/g)) ids.add(id)
    }
  }
  return ids
}

describe('the catalogue of faults', () => {
  const tried = named()
  const all = Object.keys(FAULTS)
  const elsewhere = [...BY_COMMAND, ...HELD_ELSEWHERE].map(({ id }) => id)
  const missing = NOT_BUILT.map(({ id }) => id)

  it('has each tried by a test or a command, or waiting for a part with a name, and never both', () => {
    for (const { id, needs } of NOT_BUILT) {
      process.stdout.write(`  not built: ${id} ${FAULTS[id] ?? ''} (needs ${needs})\n`)
    }
    const held = new Set([...tried, ...elsewhere])
    const neither = all.filter((id) => !held.has(id) && !missing.includes(id))
    const both = missing.filter((id) => held.has(id))
    expect({ neither, both }).toEqual({ neither: [], both: [] })
  })

  it('names none that does not exist', () => {
    const unknown = [...tried, ...elsewhere, ...missing].filter((id) => !all.includes(id))
    expect(unknown).toEqual([])
  })

  it('says where one is held under another name, and by which command, and these are there', () => {
    for (const { file, as } of HELD_ELSEWHERE) expect(read(file)).toContain(as)
    const commands = read('..', 'hammer', 'main.ts')
    for (const { command } of BY_COMMAND) expect(commands).toContain(`.command('${command}')`)
  })
})
