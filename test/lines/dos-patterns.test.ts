/** Every regular expression of ours against texts that make a backtracking one go round in circles. */
import { readFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..', '..')
const BYTES = 50 * 1024
const MS_MAX = 50

interface Pattern {
  readonly where: string
  readonly pattern: RegExp
}

/** The literals of a file, as its parser sees them. */
function patternsIn(file: string, text: string): Pattern[] {
  const found: Pattern[] = []
  const visit = (node: ts.Node) => {
    if (ts.isRegularExpressionLiteral(node)) {
      const end = node.text.lastIndexOf('/')
      const pattern = new RegExp(node.text.slice(1, end), node.text.slice(end + 1))
      found.push({ where: `${file} ${node.text}`, pattern })
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest))
  return found
}

/** What repeats in the pattern is what it has to count: its own characters, and one of each class. */
function unitsFor({ source }: RegExp): string[] {
  const own = [...new Set(source)].filter((it) => !'\\^$'.includes(it))
  const singles = [...new Set([...own, ...'aZ0 _-./:=(~\t\n'])]
  return [...singles, ...own.slice(0, 8).flatMap((a) => ['a', '0', ' '].map((b) => a + b))]
}

/** Milliseconds of processor time for the worst of them. */
function worstOf({ pattern }: Pattern): number {
  let worst = 0
  for (const unit of unitsFor(pattern)) {
    for (const end of ['', '!', '\n', '\u00e9']) {
      const text = unit.repeat(BYTES / unit.length) + end
      pattern.lastIndex = 0
      const before = process.cpuUsage()
      pattern.exec(text)
      const { user, system } = process.cpuUsage(before)
      worst = Math.max(worst, (user + system) / 1000)
    }
  }
  return worst
}

const sources = globSync('src/**/*.ts', { cwd: ROOT }).sort()
const patterns = sources.flatMap((file) => patternsIn(file, readFileSync(join(ROOT, file), 'utf8')))

describe('[DOS-07] regular expressions', () => {
  it('are found, and one that goes round in circles would be noticed', () => {
    expect(patterns.length).toBeGreaterThan(40)
    const [bad] = patternsIn('x.ts', 'const x = /^(?:[a-z]+\\s?)*\\s*$/')
    const short = { ...bad, pattern: bad?.pattern ?? /x/ }
    const before = performance.now()
    short.pattern.exec(`${'a'.repeat(24)}!`)
    expect(performance.now() - before).toBeGreaterThan(MS_MAX)
  })

  it.each(patterns)('$where', (it) => {
    // Once more where the machine was busy: what is wrong is wrong every time.
    const worst = worstOf(it)
    expect(worst < MS_MAX ? worst : worstOf(it)).toBeLessThan(MS_MAX)
  })
})
