/** procura unconfirmed: what is over for us, and what its target has not confirmed yet. */
import { Command } from 'commander'
import { isObject, type JsonObject } from '../../domain/json.ts'
import { asPerson } from '../context.ts'
import { plain, printer } from '../print.ts'

const PAGE = 200

interface Options {
  readonly as?: string
  readonly json?: boolean
}

export function unconfirmedCommand(): Command {
  return new Command('unconfirmed')
    .description('the red list: credentials that are over, and whose targets have not confirmed it')
    .option('--as <person>', 'an operator or auditor for all, a sponsor for their own')
    .option('--json', 'one object a line')
    .action(async ({ as, json = false }: Options) => {
      const leases = await all(as)
      for (const lease of leases) {
        if (json) printer.json(lease)
        else tell(lease)
      }
      if (json) return
      if (leases.length === 0) printer.note('nothing: every target has confirmed')
      else printer.note(`${String(leases.length)}; each is tried again until its target confirms`)
    })
}

async function all(as: string | undefined): Promise<JsonObject[]> {
  const caller = asPerson(as, 'lee')
  const found: JsonObject[] = []
  let cursor: unknown = null
  do {
    const next = typeof cursor === 'string' ? `&cursor=${cursor}` : ''
    const page = await caller.get(`/v1/leases?state=unconfirmed&limit=${String(PAGE)}${next}`)
    if (Array.isArray(page['items'])) found.push(...page['items'].filter(isObject))
    cursor = page['next_cursor']
  } while (typeof cursor === 'string')
  return found
}

function tell({
  id,
  target,
  tool,
  reason,
  expires_at: ended,
  attempts,
  next_try_at: next,
}: JsonObject) {
  printer.line(plain(target), `${plain(id)}   ${plain(tool)}`)
  const tries = attempts === 0 ? 'not tried yet' : `asked ${plain(attempts)} times in vain`
  const again = typeof next === 'string' ? ` · again at ${plain(next)}` : ''
  const why = typeof reason === 'string' ? reason.replaceAll('_', ' ') : 'over'
  printer.line('', `${why} · end ${plain(ended)} · ${tries}${again}`)
}
