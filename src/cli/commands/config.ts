/** procura config check: everything that would stop the broker from starting, at once. */
import { Command } from 'commander'
import { SETTINGS } from '../../settings.ts'
import { warnings } from '../runtime.ts'
import { EXIT } from '../exit.ts'
import { printer } from '../print.ts'
import { configuration } from '../settings.ts'
import { roleOption } from './serve.ts'

export function configCommand(): Command {
  const config = new Command('config').description('the configuration, and what is wrong with it')
  config
    .command('check')
    .addOption(roleOption())
    .option('--reference', 'print what can be set, as docs/configuration.md has it')
    .description(
      'read it, connect, vet the policies, try the keys and the targets; changes nothing',
    )
    .addHelpText('before', 'procura config check\n')
    .action(async ({ reference, role }: { reference?: boolean; role?: string }) => {
      if (reference === true) process.stdout.write(settingsTable())
      else await check(role)
    })
  return config
}

async function check(role?: string): Promise<void> {
  for (const warning of warnings()) printer.line('warning', warning)
  const config = configuration(role)
  const { checksOf } = await import('../config-checks.ts')
  const found = await checksOf(config)
  for (const { what, problems } of found) {
    if (problems.length === 0) printer.line('ok', what)
    for (const problem of problems) printer.line('wrong', `${what}: ${problem}`)
  }
  if (found.some(({ problems }) => problems.length > 0)) process.exitCode = EXIT.usage
}

/** A row for each variable, in Markdown. */
export function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(
    ([name, { why, example }]) => `| \`${name}\` | ${why} | \`${example}\` |`,
  )
  return ['| variable | what for | example |', '|---|---|---|', ...rows, ''].join('\n')
}
