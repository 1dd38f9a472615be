/** All commands, and how a run of one ends: with an exit code, and with nothing left running. */
import { Command, CommanderError } from 'commander'
import { agentCommand } from './commands/agent.ts'
import { decideCommand, inboxCommand, showCommand } from './commands/approval.ts'
import { canaryCommand } from './commands/canary.ts'
import { chainCommand } from './commands/chain.ts'
import { configCommand } from './commands/config.ts'
import { consentCommand } from './commands/consent.ts'
import { explainCommand, getCommand, releaseCommand } from './commands/credential.ts'
import { dbCommand, migrateCommand } from './commands/database.ts'
import { delegateCommand } from './commands/delegate.ts'
import { demoCommand } from './commands/demo.ts'
import { devCommand } from './commands/dev.ts'
import { freezeCommand, unfreezeCommand } from './commands/freeze.ts'
import { keysCommand } from './commands/keys.ts'
import { ledgerCommand } from './commands/ledger.ts'
import { policyCommand } from './commands/policy.ts'
import { revokeCommand } from './commands/revoke.ts'
import { serveCommand } from './commands/serve.ts'
import { targetCommand } from './commands/target.ts'
import { unconfirmedCommand } from './commands/unconfirmed.ts'
import { whyCommand } from './commands/why.ts'
import { EXIT, report } from './exit.ts'
import { VERSION } from './home.ts'

const FIRST = `A just-in-time credential broker for AI agents: one credential for one tool call.

  procura dev                                       a broker on this machine, with people to play
  procura get sql.query --sql "select count(*) from orders" --purpose reporting.weekly
  procura why dec_01m7ysq11gex8arycvhxvfqv87        who consented, which rule, what came of it
`

const LAST = `
exit codes  0 done · 1 failed · 2 usage or configuration · 3 denied · 4 a person was asked
            5 expired, revoked or used up · 6 unreachable, try again · 7 proof failed`

export function createProgram(): Command {
  const program = new Command('procura').version(VERSION).helpCommand(false)
  program.addHelpText('before', FIRST).addHelpText('after', LAST)
  const groups: readonly (readonly [string, readonly Command[]])[] = [
    ['try it', [devCommand(), demoCommand()]],
    ['agents', [getCommand(), explainCommand(), releaseCommand(), delegateCommand()]],
    ['people', [agentCommand(), consentCommand(), inboxCommand(), showCommand()]],
    ['people', [decideCommand('approve'), decideCommand('deny')]],
    ['people', [revokeCommand(), freezeCommand(), unfreezeCommand()]],
    ['auditors', [whyCommand(), chainCommand(), ledgerCommand()]],
    ['policy authors', [policyCommand()]],
    ['operators', [serveCommand(), migrateCommand(), dbCommand(), configCommand()]],
    ['operators', [keysCommand(), targetCommand(), canaryCommand(), unconfirmedCommand()]],
  ]
  for (const [heading, commands] of groups) {
    for (const command of commands) program.addCommand(command.helpGroup(`${heading}:`))
  }
  return eachOf(program, (command) => command.exitOverride().showHelpAfterError(HINT))
}

const HINT = '(--help shows how)'

/** Settings of a command are not handed down to commands that were made apart from it. */
function eachOf(command: Command, set: (command: Command) => unknown): Command {
  set(command)
  for (const child of command.commands) eachOf(child, set)
  return command
}

/** Runs one command line. Sets the exit code; the process ends when nothing is left to do. */
export async function run(argv: readonly string[]): Promise<void> {
  process.stdout.on('error', unlessUnread)
  try {
    await createProgram().parseAsync([...argv])
  } catch (error) {
    process.exitCode = isAsked(error) || isUnread(error) ? EXIT.done : codeOf(error)
  }
}

/** `… | head` stops reading; what was begun is finished and cleared away all the same. */
function unlessUnread(error: Error): void {
  if (!isUnread(error)) throw error
}

const isUnread = (error: unknown) =>
  error instanceof Error && 'code' in error && error.code === 'EPIPE'

/** Help and the version are thrown too, once they are printed. */
const isAsked = (error: unknown) => error instanceof CommanderError && error.exitCode === 0

/** Commander has said by now what is wrong with the line. */
const codeOf = (error: unknown) => (error instanceof CommanderError ? EXIT.usage : report(error))
