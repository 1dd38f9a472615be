import { describe, expect, it } from 'vitest'
import { createEngine } from '../../src/policy/cedar.ts'
import { type Finding, PolicySetRefused } from '../../src/policy/findings.ts'
import type { PolicyFiles } from '../../src/policy/files.ts'
import { prepareSet } from '../../src/policy/policy-set.ts'
import { runCases, vet } from '../../src/policy/vet.ts'
import { files, parse } from './world.ts'

const action = 'action == Action::"sql.query"'
const withPolicy = (text: string): PolicyFiles => ({ ...files, 'more.cedar': text })
const forbid = (when: string, marks = '@id("more") @say("no")') =>
  withPolicy(`${marks} forbid (principal, ${action}, resource) when { ${when} };`)

async function findings(of: PolicyFiles): Promise<readonly Finding[]> {
  try {
    await vet(of)
    return []
  } catch (error) {
    if (error instanceof PolicySetRefused) return error.findings
    throw error
  }
}

describe('a candidate set', () => {
  it('[POL-10] is accepted as it stands in the repository', async () => {
    expect(await findings(files)).toEqual([])
  })

  it.each([
    ['text that is not Cedar', withPolicy('permit (principal'), 'line 1'],
    ['an unknown attribute', forbid('context.facts.frob'), 'frob'],
    [
      'an action that is not a tool',
      withPolicy('@id("more") permit (principal, action == Action::"no.tool", resource);'),
      'no.tool',
    ],
    ['a condition that can never hold', forbid('false'), 'impossible'],
    ['a rule without @id', forbid('true', '@say("no")'), 'no @id'],
    ['an @id that is taken', forbid('true', '@id("payroll-is-closed") @say("no")'), 'the same @id'],
    ['a forbid that says nothing', forbid('true', '@id("more")'), 'without @say'],
    [
      'a mark that means nothing',
      forbid('true', '@id("more") @say("no") @level("L2")'),
      '@level means nothing',
    ],
    [
      'a gate that nothing lifts',
      forbid('true', '@id("more") @say("no") @ask("dba")'),
      'nothing lifts it',
    ],
    [
      'a gate on a permit',
      withPolicy(`@id("more") @ask("dba") permit (principal, ${action}, resource);`),
      '@ask on a permit',
    ],
    [
      'approved where nobody is asked',
      withPolicy(
        `@id("more") @say("no") forbid (principal, ${action}, resource) unless { context.approved };`,
      ),
      'nobody is asked',
    ],
    [
      'approved as a condition',
      withPolicy(`@id("more") permit (principal, ${action}, resource) when { context.approved };`),
      'of another form',
    ],
    [
      'approved turned round',
      withPolicy(
        `@id("more") @say("no") @ask("dba") forbid (principal, ${action}, resource) unless { !context.approved };`,
      ),
      'of another form',
    ],
    [
      'approved beside another lift',
      withPolicy(
        `@id("more") @say("no") @ask("dba") forbid (principal, ${action}, resource) unless { context.approved || principal is Sponsor };`,
      ),
      'of another form',
    ],
    [
      'a permit for every action',
      withPolicy('@id("more") permit (principal, action, resource);'),
      'every action',
    ],
    [
      'containsAll without a marker',
      withPolicy(
        `@id("more") permit (principal, ${action}, resource) when { ["a"].containsAll(context.facts.tables) };`,
      ),
      'positive marker',
    ],
    [
      'a template',
      withPolicy(`@id("more") permit (principal == ?principal, ${action}, resource);`),
      'template',
    ],
    [
      'arithmetic that overflows',
      forbid('context.uses_left + 9223372036854775807 > 0'),
      'overflow',
    ],
    [
      'an unbounded wait',
      forbid('true', '@id("more") @say("no") @ask("dba") @within("9999h")'),
      '@within',
    ],
    [
      'two tools in files of other names',
      { ...files, 'tools/other.yaml': files['tools/sql.query.yaml'] ?? '' },
      'it declares sql.query',
    ],
    [
      'a purpose with nothing above it',
      { ...files, 'purposes.yaml': 'a.b: Something.' },
      'nothing above',
    ],
    ['no purposes', { ...files, 'purposes.yaml': '{}' }, 'unknown_purpose'],
    ['YAML with an alias', { ...files, 'purposes.yaml': 'a: &x Something.\nb: *x' }, 'alias'],
    ['YAML with a key twice', { ...files, 'purposes.yaml': 'a: One.\na: Two.' }, 'unique'],
    [
      'a case that fails',
      {
        ...files,
        'sql.test.yaml':
          '- { name: wrong, given: { tool: sql.query, purpose: reporting, arguments: { sql: select 1 } }, expect: { answer: deny } }',
      },
      'answer is "allow", not "deny"',
    ],
    [
      'a case of an argument that does not fit',
      {
        ...files,
        'sql.test.yaml':
          '- { name: wrong, given: { tool: sql.query, purpose: reporting, arguments: { sq: x } }, expect: { answer: deny } }',
      },
      'arguments_invalid',
    ],
    ['a file that is too long', withPolicy(`// ${'x'.repeat(65_536)}`), '64 KiB'],
    ['a file of another name', { ...files, '../x.cedar': '' }, 'not a file of a policy set'],
  ])('[POL-10] is refused for %s, and told why', async (_what, of, what) => {
    const found = await findings(of)
    expect(found.map((one) => one.what).join('\n')).toContain(what)
    expect(found.every(({ fix }) => fix !== '')).toBe(true)
  })

  it.each([
    [
      '3,000 nested parentheses',
      'more.cedar: nested too deep',
      `${'('.repeat(3000)}true${')'.repeat(3000)}`,
    ],
    [
      'parentheses hidden from a naive count',
      'more.cedar: nested too deep',
      `"\\")))" == ")" || ${'('.repeat(200)}true${')'.repeat(200)}`,
    ],
    [
      '1,000 operands',
      'more.cedar (more): nested too deep',
      Array.from({ length: 1000 }, () => 'context.facts.opaque').join(' || '),
    ],
    [
      '3,000 operands',
      '64 KiB',
      Array.from({ length: 3000 }, () => 'context.facts.opaque').join(' || '),
    ],
    [
      '800 nested conditions, which end the thread,',
      'did not survive',
      `${'if true then '.repeat(800)}true${' else false'.repeat(800)}`,
    ],
    ['a long path', 'nested too deep', `context${'.facts'.repeat(3000)}`],
  ])('[POL-08] of %s is refused, and the deciding engine goes on', async (_what, why, when) => {
    const engine = createEngine()
    const { compiled } = await prepareSet(files, parse)
    engine.use(compiled)
    await expect(vet(forbid(when))).rejects.toThrow(why)
    expect(engine.isHealthy()).toBe(true)
  })

  it('is not waited for longer than the limit', async () => {
    await expect(vet(files, 1)).rejects.toThrow('in time')
  })
})

describe('the report of cases', () => {
  it('counts rules and cases, and names the rules that no case makes decide', async () => {
    const of = withPolicy(
      `@id("more") @say("no") forbid (principal, ${action}, resource) when { context.depth > 5 };`,
    )
    const { files: reports, untested } = await runCases(of)
    expect(reports.find(({ file }) => file === 'more.cedar')).toMatchObject({ rules: 1, cases: 0 })
    expect(untested).toEqual([{ file: 'more.cedar', rule: 'more' }])
  })
})
