/** procura freeze, unfreeze: hold something back, and let it go on. */
import { Command, Option } from 'commander'
import { isObject, type JsonObject } from '../../domain/json.ts'
import { asPerson } from '../context.ts'
import { CommandError, EXIT } from '../exit.ts'
import { plain, printer } from '../print.ts'
import { CAUSES } from './revoke.ts'

interface Options {
  readonly reason?: string
  readonly cause: string
  readonly as?: string
}

const SCOPE = 'everything; or tool NAME, agent ID, sponsor ID'
const OPERATOR = 'lee'

export function freezeCommand(): Command {
  const command = new Command('freeze').description(
    'hold back a tool, an agent, a sponsor or everything, until it is lifted',
  )
  command
    .command('list')
    .description('what is frozen')
    .option('--as <person>', 'who asks')
    .option('--json', 'one object a line')
    .action(async ({ as, json }: { as?: string; json?: boolean }) => {
      const { items } = await asPerson(as, OPERATOR).get('/v1/freeze')
      const frozen = Array.isArray(items) ? items.filter(isObject) : []
      if (frozen.length === 0) printer.note('nothing is frozen')
      for (const each of frozen) {
        if (json === true) printer.json(each)
        else printer.line('frozen', `${scopeOf(each)} · since ${plain(each['since'])}`)
      }
    })
  changing(command, 'frozen').addHelpText(
    'before',
    'procura freeze tool sql.query --reason "an incident"\n',
  )
  return command
}

export function unfreezeCommand(): Command {
  const command = new Command('unfreeze').description('lift a freeze; takes an operator')
  return changing(command, 'lifted')
}

function changing(command: Command, state: 'frozen' | 'lifted'): Command {
  return command
    .argument('[kind]', SCOPE)
    .argument('[id]', 'the tool, agt_… or spn_…')
    .option('--reason <text>', 'why, in your words; kept sealed')
    .addOption(new Option('--cause <cause>', 'why').choices(CAUSES).default('operator_action'))
    .option('--as <person>', 'an operator; to freeze an agent, its sponsor will do')
    .action(async (kind: string | undefined, id: string | undefined, options: Options) => {
      const scope = scopeIn(kind, id)
      const { cause, reason } = options
      if (reason === undefined) throw new CommandError('say why: --reason "…"', EXIT.usage)
      const body = { scope, state, cause, reason }
      const answer = await asPerson(options.as, OPERATOR).post('/v1/freeze', body)
      printer.line(state, `${scopeOf(answer)}   ${plain(answer['id'])}`)
      const since = plain(answer['since'])
      printer.line('', state === 'frozen' ? `since ${since}` : `it was frozen since ${since}`)
    })
}

function scopeIn(kind: string | undefined, id: string | undefined): JsonObject {
  if (kind === 'everything' && id === undefined) return { kind }
  const isOne = kind === 'tool' || kind === 'agent' || kind === 'sponsor'
  if (isOne && id !== undefined) return { kind, id }
  throw new CommandError(`what is it to be? ${SCOPE}`, EXIT.usage)
}

function scopeOf({ scope }: JsonObject): string {
  if (!isObject(scope)) return ''
  return scope['id'] === undefined
    ? plain(scope['kind'])
    : `${plain(scope['kind'])} ${plain(scope['id'])}`
}
