import { beforeAll, describe, expect, it } from 'vitest'
import { type Parse, sqlFacts } from '../../src/policy/facts/sql.ts'
import { loadGrammar } from '../../src/policy/grammar.ts'

const reading = { defaultSchema: 'public', functions: new Set<string>() }
const filled = (before: string, unit: string, bytes = 65_536) =>
  (before + unit.repeat(Math.ceil(bytes / unit.length))).slice(0, bytes)

let parse: Parse
beforeAll(async () => {
  parse = await loadGrammar()
  parse('select 1')
})

/** Milliseconds of processor time: this thread's, whatever else the machine does. */
function costOf(sql: string): number {
  const before = process.cpuUsage()
  sqlFacts(sql, parse, reading)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

describe('reading an SQL text', () => {
  it.each([
    ['comments in comments', filled('', '/*')],
    ['operator characters', filled('select ', '+-')],
    ['one statement after the other', filled('', 'select 1;')],
    ['a list without end', filled('select 1 where a in (', '1,')],
    ['conditions without end', filled('select 1 where a=1', ' or a=1')],
    ['stars', filled('select ', '*,')],
    ['brackets', filled('select ', '(')],
    ['words', filled('', 'a')],
    ['spaces', filled('select', ' ')],
    ['an open string', filled("select '", 'x')],
  ])('[DOS-07] keeps nobody waiting for long, be it %s', (_what, sql) => {
    // Of a run of operators that is read the cost is ten seconds; the bound leaves room for a busy machine.
    expect(costOf(sql)).toBeLessThan(250)
  })

  it.each([
    ['a comment in a box', `/${'*'.repeat(78)}/\nselect id from orders -- ${'-'.repeat(200)}`],
    ['a list of a thousand ids', `select id from orders where id in (${'7, '.repeat(999)}7)`],
    ['a text of forty kilobytes', `select id from orders where note = '${'x'.repeat(40_000)}'`],
  ])('still understands %s', (_what, sql) => {
    expect(sqlFacts(sql, parse, reading)).toMatchObject({
      ...{ tables: ['public.orders'], opaque: false },
    })
  })
})
