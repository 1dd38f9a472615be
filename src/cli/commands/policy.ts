/** procura policy test: what the policies answer, by the cases beside them. */
import { Command } from 'commander'
import type { CaseReport, FileReport } from '../../policy/cases.ts'
import { inOneLine } from '../../policy/findings.ts'
import { readFolder } from '../../policy/folder.ts'
import { runCases } from '../../policy/vet.ts'
import { EXIT } from '../exit.ts'
import { plain, printer } from '../print.ts'
import { configuration } from '../settings.ts'

interface Options {
  readonly strict?: boolean
  readonly json?: boolean
}

export function policyCommand(): Command {
  const policy = new Command('policy').description('write policies, and try them first')
  policy
    .command('test')
    .argument('[folder]', 'the folder of the set (PROCURA_POLICIES)')
    .option('--strict', 'fail, too, when a rule makes no answer of any case')
    .option('--json', 'the whole report, as one object')
    .description(
      'check a set of policies as it would be checked to be put in force, and run its cases',
    )
    .addHelpText('before', 'procura policy test --strict\n')
    .action(async (folder: string | undefined, { strict, json }: Options) => {
      const report = await runCases(await readFolder(folder ?? configuration().policiesDir))
      if (json === true) process.stdout.write(`${JSON.stringify(report)}\n`)
      else print(report)
      if (!passes(report, strict === true)) process.exitCode = EXIT.failed
    })
  return policy
}

/** `26 rules, 32 cases ok`, or what is wrong with the set. */
export async function policySummary(folder: string): Promise<string> {
  const report = await runCases(await readFolder(folder))
  if (!passes(report, false)) return 'does not pass: see `procura policy test`'
  const total = (of: 'rules' | 'cases') => report.files.reduce((sum, file) => sum + file[of], 0)
  return `${count(total('rules'), 'rule')}, ${count(total('cases'), 'case')} ok`
}

export function passes({ findings, files, untested }: CaseReport, strict: boolean): boolean {
  const isSound = findings.length === 0 && files.every(({ failures }) => failures.length === 0)
  return isSound && (!strict || untested.length === 0)
}

function print({ files, untested, findings }: CaseReport): void {
  for (const finding of findings) printer.line('wrong', plain(inOneLine(finding)))
  const width = Math.max(0, ...files.map(({ file }) => file.length))
  for (const file of files) printFile(file, width)
  for (const { file, rule } of untested) {
    printer.line('untested', `${plain(rule)} (${plain(file)}) makes no answer of any case`)
  }
}

function printFile({ file, rules, cases, failures }: FileReport, width: number): void {
  const verdict = failures.length === 0 ? 'ok' : `${String(failures.length)} failed`
  const counts = `${count(rules, 'rule').padStart(9)}${count(cases, 'case').padStart(11)}`
  process.stdout.write(`${plain(file).padEnd(width)}${counts}   ${verdict}\n`)
  for (const failure of failures) printer.line('failed', plain(inOneLine(failure)))
}

const count = (number: number, what: string) =>
  `${String(number)} ${what}${number === 1 ? '' : 's'}`
