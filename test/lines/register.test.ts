/** Which lines of the catalogue are held by a test, and which wait for a part that is not built. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { HELD_ELSEWHERE, type LineId, LINES, NOT_BUILT } from './register.ts'

const TESTS = join(import.meta.dirname, '..')
/** The title of a test: what `it` or `line` is called with, or what `it.each(…)` gives. */
const TITLE =
  /(?:\b(?:it|line)|\))(?:\.\w+)?(?:\([^'"`()]*\))?\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g
const ID = /\b[A-Z]{3}-\d{2}\b/g

/** The ids in square brackets in the titles of these tests. */
function namedIn(files: readonly string[]): Set<string> {
  const ids = new Set<string>()
  for (const file of files) {
    for (const [, , title = ''] of readFileSync(join(TESTS, file), 'utf8').matchAll(TITLE)) {
      for (const [bracket] of title.matchAll(/\[[^\]]*\]/g)) {
        for (const [id] of bracket.matchAll(ID)) ids.add(id)
      }
    }
  }
  return ids
}

describe('the catalogue of lines', () => {
  const all = new Set<string>(Object.keys(LINES))
  const here = namedIn(globSync('lines/*.{test,lines}.ts', { cwd: TESTS }))
  const missing = NOT_BUILT.map(({ id }) => id)

  it('has each line held by a test, or waiting for a part with a name, and never both', () => {
    const held = new Set<string>([...here, ...HELD_ELSEWHERE.map(({ id }) => id)])
    const neither = [...all].filter((id) => !held.has(id) && !missing.includes(id as LineId))
    const both = missing.filter((id) => held.has(id))
    for (const { id, needs } of NOT_BUILT) {
      process.stdout.write(`  not built: ${id} ${LINES[id]} (needs ${needs})\n`)
    }
    expect({ neither, both }).toEqual({ neither: [], both: [] })
  })

  it('names no line twice, and none that does not exist', () => {
    expect(new Set(missing).size).toBe(missing.length)
    const groups = new Set([...all].map((id) => id.slice(0, 3)))
    const unknown = [...here].filter((id) => groups.has(id.slice(0, 3)) && !all.has(id))
    expect(unknown).toEqual([])
  })

  it('has every module of lines brought in by one file of tests', () => {
    const tests = globSync('lines/*.test.ts', { cwd: TESTS })
    const imported = tests.flatMap((file) =>
      [...readFileSync(join(TESTS, file), 'utf8').matchAll(/^import '\.\/(.+\.lines\.ts)'$/gm)].map(
        ([, module]) => `lines/${String(module)}`,
      ),
    )
    const modules = globSync('lines/*.lines.ts', { cwd: TESTS })
    expect(imported.toSorted()).toEqual(modules.toSorted())
    const own = modules.filter((file) =>
      readFileSync(join(TESTS, file), 'utf8').includes('twoBrokers'),
    )
    expect(own, 'with brokers of its own').toEqual([])
  })

  it('says where a line is held elsewhere, and a test is there', () => {
    for (const { id, file } of HELD_ELSEWHERE) {
      expect([...namedIn([file])], `${file} for ${id}`).toContain(id)
      expect(here.has(id), `${id} is held here as well`).toBe(false)
    }
  })
})
