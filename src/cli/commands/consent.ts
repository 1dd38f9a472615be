/** procura consent: give, list, withdraw. */
import { Command, InvalidArgumentError, Option } from 'commander'
import { clientSettings } from '../../config.ts'
import { isObject, type JsonObject, readJson } from '../../domain/json.ts'
import { asPerson, readAgent } from '../context.ts'
import { plain, printer } from '../print.ts'

export function consentCommand(): Command {
  const consent = new Command('consent').description('let an agent use tools; take it back')
  give(consent.command('give'))
  list(consent.command('list'))
  withdraw(consent.command('withdraw'))
  return consent
}

function give(command: Command): void {
  command
    .argument('<agent>', 'agt_…, or the name of an agent whose key is here')
    .requiredOption('--tool <tool...>', 'tools, or a.b.*')
    .requiredOption('--purpose <purpose>', 'a purpose of the vocabulary')
    .option(
      '--where <constraint...>',
      'bounds, as JSON: {"key":"facts.tables","subset_of":["public.orders"]}',
      objects,
    )
    .option('--uses <n>', 'calls in all', whole, 20)
    .addOption(
      new Option('--for <duration>', 'until when: 30m, 8h, 7d')
        .argParser(duration)
        .default(8 * 3600, '8h'),
    )
    .option('--ttl <seconds>', 'longest life of one credential', whole, 300)
    .option('--hops <n>', 'how often it may be handed on, from agent to agent', whole)
    .option('--delegates <agent...>', 'to whom; without it to any agent of yours')
    .option('--as <person>', 'the sponsor')
    .description('consent: which tools, what for, within what, how often, until when')
    .addHelpText(
      'before',
      `procura consent give report-bot --tool sql.query --purpose reporting --uses 20 \\
        --where '{"key":"facts.tables","subset_of":["public.orders"]}'\n`,
    )
    .action(async (agent: string, options: GiveOptions) => {
      const body = await asPerson(options.as, 'ana').post('/v1/consents', {
        agent_id: agentId(agent),
        tools: [...options.tool],
        purpose: options.purpose,
        constraints: options.where ?? [],
        expires_at: new Date(Date.now() + options.for * 1000).toISOString(),
        max_uses: options.uses,
        max_ttl_seconds: options.ttl,
        ...(options.hops === undefined ? {} : { max_hops: options.hops }),
        ...(options.delegates === undefined ? {} : { delegates: options.delegates.map(agentId) }),
      })
      const uses = `${String(options.uses)} uses, until ${plain(body['expires_at'])}`
      printer.line(
        'consented',
        `${agent} may use ${options.tool.join(', ')} for ${options.purpose}: ${uses}`,
      )
      printer.line('', plain(body['id']))
    })
}

function list(command: Command): void {
  command
    .option('--as <person>', 'the sponsor')
    .option('--json', 'one object a line')
    .description('what you consented to, and what was used of it')
    .action(async ({ as, json }: { as?: string; json?: boolean }) => {
      const { items } = await asPerson(as, 'ana').get('/v1/consents?limit=200')
      for (const each of Array.isArray(items) ? items : []) {
        if (json === true) printer.json(each)
        else if (isObject(each)) printer.line(plain(each['status']), summary(each))
      }
    })
}

function withdraw(command: Command): void {
  command
    .argument('<id>', 'con_…')
    .option('--as <person>', 'the sponsor')
    .description('take a consent back; what hangs on it ends')
    .action(async (id: string, { as }: { as?: string }) => {
      const body = await asPerson(as, 'ana').delete(`/v1/consents/${encodeURIComponent(id)}`)
      printer.line('withdrawn', plain(id))
      printer.line('stopped', plain(body['revoked']))
      printer.line('', plain(body['id']))
    })
}

interface GiveOptions {
  readonly tool: readonly string[]
  readonly purpose: string
  readonly where?: JsonObject[]
  readonly uses: number
  readonly for: number
  readonly ttl: number
  readonly hops?: number
  readonly delegates?: readonly string[]
  readonly as?: string
}

function summary(consent: JsonObject): string {
  const { agent_id: agent, tools, purpose, uses, max_uses: max, expires_at: until, id } = consent
  const names = Array.isArray(tools) ? tools.map(plain).join(', ') : ''
  return `${plain(agent)} ${names} for ${plain(purpose)} · ${plain(uses)} of ${plain(max)} used · until ${plain(until)} · ${plain(id)}`
}

const agentId = (name: string) =>
  name.startsWith('agt_') ? name : readAgent(name, clientSettings().dataDir).id

function objects(text: string, before: JsonObject[] | undefined): JsonObject[] {
  try {
    return [...(before ?? []), readJson(new TextEncoder().encode(text))]
  } catch {
    throw new InvalidArgumentError('a bound is one JSON object')
  }
}

export function whole(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('a whole number above 0')
  return Number(text)
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** `90s`, `30m`, `8h`, `7d` → seconds. */
export function duration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,6})([smhd])$/.exec(text) ?? []
  if (count === undefined || unit === undefined) {
    throw new InvalidArgumentError('a duration such as 30m, 8h or 7d')
  }
  return Number(count) * SECONDS[unit as keyof typeof SECONDS]
}
