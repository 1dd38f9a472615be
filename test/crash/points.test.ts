/** The points at which a broker can be struck are planted from outside: what is shipped has no such place. */
import { execFileSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cellOf } from '../../hammer/cells.ts'
import { readFaults } from '../../hammer/fault.ts'
import { PLACES, POINTS } from '../../hammer/places.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const HOOK = /PROCURA_FAULT|hammer\//

describe('what is shipped', () => {
  it('has no crash point in it, and nothing that reads of one', () => {
    const files = globSync('src/**/*', { cwd: ROOT }).filter((file) => file.endsWith('.ts'))
    expect(files.length).toBeGreaterThan(150)
    const planted = files.filter((file) => HOOK.test(readFileSync(join(ROOT, file), 'utf8')))
    expect(planted).toEqual([])
  })

  it('does not pack the hammer', () => {
    const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      ...{ cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    })
    const [{ files } = { files: [] }] = JSON.parse(packed) as { files: { path: string }[] }[]
    const names = files.map(({ path }) => path)
    expect(names).toContain('openapi.yaml')
    expect(names.filter((name) => /hammer|test\/|bench\//.test(name))).toEqual([])
    const texts = names.filter((name) => /\.(js|ts|json|yaml|sql|cedar|md)$/.test(name))
    const planted = texts.filter((name) => HOOK.test(withoutScripts(name)))
    expect(planted).toEqual([])
  })
})

/** The names of commands for those who have the sources are no hook. */
function withoutScripts(name: string): string {
  const text = readFileSync(join(ROOT, name), 'utf8')
  return name === 'package.json' ? text.replace(/"scripts": \{[^}]*\}/, '') : text
}

describe('the table of points', () => {
  it('has every point from the request to the witness', () => {
    expect(POINTS).toEqual(Array.from({ length: 16 }, (_, n) => `FP${String(n)}`))
  })

  it('names no statement that the code does not have: a renamed one is missed here, not in the matrix', () => {
    const sources = globSync('src/**/*.ts', { cwd: ROOT })
    const code = sources.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('\n')
    const named = Object.values(PLACES)
      .flat()
      .map(({ statement }) => /^\^([a-z_]+)\$$/.exec(statement.source)?.[1] ?? '')
      .filter((name) => name.includes('_'))
    expect(named.length).toBeGreaterThan(3)
    expect(named.filter((name) => !code.includes(`name: '${name}'`))).toEqual([])
  })
})

describe('a fault', () => {
  it('is read from its text, several from one', () => {
    expect(readFaults('FP7:kill:3,FP5:delay=200')).toEqual([
      { point: 'FP7', kind: 'kill', ms: 500, passage: 3 },
      { point: 'FP5', kind: 'delay', ms: 200, passage: 1 },
    ])
  })

  it.each(['FP16:kill', 'FP7:burn', 'FP7', 'FP7:kill:x', ''])('is not read from %j', (text) => {
    expect(() => readFaults(text)).toThrow()
  })

  it('of a cell follows from its names alone, so that it can be had again', () => {
    const own = { point: 'FP7', seed: 3, processes: 2 }
    const [one, other] = [cellOf(own), cellOf(own)]
    expect({ ...one, random: one.random.below(1e9) }).toEqual({
      ...{ ...other, random: other.random.below(1e9) },
    })
    expect(cellOf({ ...own, seed: 4 })).not.toEqual(one)
  })
})
