/** procura delegate: what an agent has, handed on to another, with less in it. */
import { Command } from 'commander'
import type { DelegationAsk, Handed } from '../../client/delegating.ts'
import { boundPhrase, droppedPhrases } from '../../client/phrases.ts'
import type { JsonObject } from '../../domain/json.ts'
import { boundOf } from '../bound.ts'
import { asAgent, readAgent } from '../context.ts'
import { CommandError, EXIT } from '../exit.ts'
import { plain, printer } from '../print.ts'
import { duration, whole } from './consent.ts'

interface Options {
  readonly from?: string
  readonly to: string
  readonly key?: string
  readonly tool?: readonly string[]
  readonly where?: readonly string[]
  readonly calls?: number
  readonly for?: number
  readonly ttl?: number
  readonly purpose?: string
  readonly hops?: number
  readonly json?: boolean
  readonly env?: boolean
}

export function delegateCommand(): Command {
  return new Command('delegate')
    .description('hand less than an agent has on to another one')
    .requiredOption('--to <agent>', 'who gets it: the name of a key file, or agt_… with --key')
    .option('--key <thumbprint>', 'of the run that gets it, where its key is not here')
    .option('--from <agent>', 'who has it, by the name of its key file')
    .option('--tool <tool...>', 'tools, or a.b.*; without it all that it has')
    .option('--where <bound...>', 'facts.tables=public.orders, args.amount<=500, or JSON')
    .option('--calls <n>', 'calls in all', whole)
    .option('--for <duration>', 'how long: 90s, 2h; ten minutes unless said', duration)
    .option('--ttl <seconds>', 'longest life of one credential', whole)
    .option('--purpose <purpose>', 'the same, or one below it')
    .option('--hops <n>', 'how often it may be handed on from there', count)
    .option('--env', 'as a shell variable, to be evaluated')
    .option('--json', 'all of it, as one object')
    .addHelpText(
      'before',
      `procura delegate --from report-bot --to chart-maker --tool sql.query --calls 20 --for 10m \\
        --where facts.tables=public.orders --purpose reporting.weekly\n`,
    )
    .action(delegate)
}

async function delegate(options: Options): Promise<void> {
  const { client, name } = asAgent(options.from)
  const { effective } = await client.holding()
  const handed = await client.delegate({
    to: delegateOf(options),
    ...(options.for !== undefined && { ttl: options.for }),
    where: (options.where ?? []).map((text) => boundOf(text, effective.constraints)),
    ...(options.tool !== undefined && { tools: options.tool }),
    ...(options.calls !== undefined && { calls: options.calls }),
    ...(options.ttl !== undefined && { credentialTtl: options.ttl }),
    ...(options.purpose !== undefined && { purpose: options.purpose }),
    ...(options.hops !== undefined && { hops: options.hops }),
  })
  if (options.json === true) printer.json(bodyOf(handed))
  else if (options.env === true) process.stdout.write(`export ${variable(handed)}\n`)
  else print(handed, { from: name, to: options.to })
}

function delegateOf({ to, key }: Options): DelegationAsk['to'] {
  if (!to.startsWith('agt_')) {
    const { id, key: own } = readAgent(to)
    return { agent: id, jkt: key ?? own.jkt }
  }
  if (key !== undefined) return { agent: to, jkt: key }
  throw new CommandError(`which run of ${to}? give --key, the thumbprint of its key`, EXIT.usage)
}

function print(handed: Handed, { from, to }: { readonly from: string; readonly to: string }): void {
  const { effective, dropped, depth, expiresAt, id } = handed
  const { scopes, purpose, constraints, delMaxDepth } = effective
  printer.line('delegated', `${to} may: ${scopes.map(plain).join(', ')} for ${plain(purpose)}`)
  for (const bound of constraints) printer.line('', plain(boundPhrase(bound)))
  printer.line('', `until ${expiresAt.toISOString()}`)
  const gone = droppedPhrases(dropped)
  const whose = `(${from} has this, ${to} does not get it)`
  printer.line('dropped', gone.length > 0 ? `${plain(gone.join(' · '))}   ${whose}` : 'nothing')
  printer.line('depth', `${String(depth)} of ${String(delMaxDepth - 1)}`)
  printer.line('hand over', `this, to ${to}: it is of no use without the key of ${to}`)
  printer.line('', variable(handed))
  printer.line('', id)
}

const variable = ({ chain }: Handed) => `PROCURA_DELEGATION=${chain}`

function bodyOf(handed: Handed): JsonObject {
  const { id, depth, chain, effective, dropped, expiresAt } = handed
  const { scopes, purpose, constraints, delMaxDepth } = effective
  const bounds = constraints.map((bound) => ({ ...bound })) as JsonObject[]
  return {
    ...{ id, depth, purpose, expires_at: expiresAt.toISOString(), chain },
    effective: { scopes: [...scopes], constraints: bounds, del_max_depth: delMaxDepth },
    dropped: {
      ...{ scopes: [...dropped.scopes], purpose: dropped.purpose, hops: dropped.hops },
      constraints: dropped.constraints.map((each) => ({ ...each })),
    },
  }
}

function count(text: string): number {
  return text === '0' ? 0 : whole(text)
}
