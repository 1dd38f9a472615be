/** procura get, explain, release: what an agent does, by hand. */
import { Command } from 'commander'
import type { CredentialAsk } from '../../client/client.ts'
import { isObject, type JsonObject, readJson } from '../../domain/json.ts'
import { asAgent } from '../context.ts'
import { CommandError, EXIT } from '../exit.ts'
import { plain, printer } from '../print.ts'
import { whole } from './consent.ts'

const HIDDEN = '(hidden: --raw)'
const SECRETS = ['password', 'token'] as const

export function getCommand(): Command {
  return asking(new Command('get'))
    .description('one credential for one tool call')
    .option('--approval <id>', 'a yes to exactly this call')
    .option('--ttl <seconds>', 'how long it should live', whole)
    .option('--raw', 'show the secret')
    .option('--env', 'as shell variables, to be evaluated')
    .option('--json', 'the whole answer; secrets only with --raw')
    .addHelpText(
      'before',
      `procura get sql.query --sql "select count(*) from orders" --purpose reporting.weekly\n`,
    )
    .action(async (tool: string, options: AskOptions) => {
      const { client } = asAgent(options.agent)
      const answer = await client.requestCredential(askOf(tool, options))
      if (answer.status === 'pending') {
        printer.line('pending', `a person was asked: procura show ${answer.approval} --as ben`)
        printer.line('then', `the same again, with --approval ${answer.approval}`)
        process.exitCode = EXIT.pending
        return
      }
      const shown = options.raw === true ? answer.credential : withoutSecrets(answer.credential)
      if (options.env === true) printEnv(answer.credential)
      else if (options.json === true) printer.json({ ...answer.body, credential: shown })
      else printIssued(answer.body, shown)
    })
}

export function explainCommand(): Command {
  return asking(new Command('explain'))
    .description('what `get` would answer now, and every rule that has a say; issues nothing')
    .option('--json', 'the whole answer')
    .addHelpText(
      'before',
      `procura explain sql.query --sql "drop table orders" --purpose maintenance\n`,
    )
    .action(async (tool: string, options: AskOptions) => {
      const { client } = asAgent(options.agent)
      const body = await client.explain(askOf(tool, options))
      if (options.json === true) printer.json(body)
      else printExplained(body)
    })
}

export function releaseCommand(): Command {
  return new Command('release')
    .argument('<id>', 'crd_…')
    .option('--agent <name>', 'whose it is')
    .description('give a credential back before its time; only the agent that got it may')
    .action(async (id: string, { agent }: { agent?: string }) => {
      const { status } = await asAgent(agent).client.giveBack(id)
      printer.line(plain(status), plain(id))
    })
}

interface AskOptions {
  readonly agent?: string
  readonly sql?: string
  readonly args?: string
  readonly purpose?: string
  readonly message?: string
  readonly approval?: string
  readonly ttl?: number
  readonly raw?: boolean
  readonly env?: boolean
  readonly json?: boolean
}

const asking = (command: Command) =>
  command
    .argument('<tool>', 'as declared: sql.query')
    .option('--agent <name>', 'which agent, by the name of its key file')
    .option('--sql <statement>', 'short for --args {"sql": …}')
    .option('--args <json>', 'the arguments, as one JSON object')
    .option('--purpose <purpose>', 'the consented one, or one below it')
    .option('-m, --message <text>', 'why, in your own words; shown to people, decides nothing')

function askOf(tool: string, options: AskOptions): CredentialAsk {
  return {
    tool,
    arguments: argumentsOf(options),
    ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
    ...(options.message === undefined ? {} : { justification: options.message }),
    ...(options.approval === undefined ? {} : { approval: options.approval }),
    ...(options.ttl === undefined ? {} : { ttl_seconds: options.ttl }),
  }
}

function argumentsOf({ sql, args }: AskOptions): JsonObject {
  if (args === undefined) return sql === undefined ? {} : { sql }
  try {
    return readJson(new TextEncoder().encode(args))
  } catch {
    throw new CommandError('--args is not one JSON object', EXIT.usage)
  }
}

function withoutSecrets(credential: JsonObject): JsonObject {
  const secrets = credential['kind'] === 'secret' ? [...SECRETS, 'data'] : SECRETS
  const hidden = secrets.filter((name) => name in credential).map((name) => [name, HIDDEN])
  return { ...credential, ...Object.fromEntries(hidden) } as JsonObject
}

function printIssued(body: JsonObject, credential: JsonObject): void {
  const { lease_duration: seconds, level, sender_constraint: bound, expires_at: until, id } = body
  printer.line(
    'issued',
    `${plain(seconds)} s, until ${plain(until)} · ${plain(level)} · bound: ${plain(bound)}`,
  )
  for (const [name, value] of Object.entries(credential)) {
    printer.line('', `${name.padEnd(10)} ${plain(value)}`)
  }
  if (Object.values(credential).includes(HIDDEN)) {
    printer.line(
      'use it',
      'it is told once: get another with --raw (to read) or --env (for the shell)',
    )
  }
  printer.line('', `${plain(id)} · why: procura why ${plain(body['decision_id'])}`)
}

function printEnv(credential: JsonObject): void {
  const names = {
    host: 'PGHOST',
    port: 'PGPORT',
    database: 'PGDATABASE',
    username: 'PGUSER',
    password: 'PGPASSWORD',
    sslmode: 'PGSSLMODE',
    token: 'PROCURA_CREDENTIAL',
  }
  for (const [name, variable] of Object.entries(names)) {
    const value = credential[name]
    if (typeof value === 'string' || typeof value === 'number') {
      process.stdout.write(`export ${variable}='${String(value).replaceAll("'", `'\\''`)}'\n`)
    }
  }
}

function printExplained(body: JsonObject): void {
  const { detail } = body
  printer.line('answer', plain(body['answer']))
  if (typeof detail === 'string') printer.line('because', plain(detail))
  for (const each of Array.isArray(body['principals']) ? body['principals'] : []) {
    if (isObject(each))
      printer.line(
        '',
        `${plain(each['kind']).padEnd(8)} ${plain(each['answer']).padEnd(6)} ${plain(each['id'])}`,
      )
  }
  for (const each of Array.isArray(body['rules']) ? body['rules'] : []) {
    if (!isObject(each)) continue
    const hop = each['hop'] === null ? 'sponsor' : `hop ${plain(each['hop'])}`
    printer.line(
      'rule',
      `${plain(each['id']).padEnd(30)} ${plain(each['effect']).padEnd(7)} ${plain(each['verdict']).padEnd(14)} ${hop}`,
    )
  }
  printer.line('facts', plain(body['facts']))
}
