/** procura inbox, show, approve, deny: a person's yes or no to exactly one call. */
import { Command } from 'commander'
import { isObject, type JsonObject } from '../../domain/json.ts'
import { asPerson } from '../context.ts'
import { plain, printer } from '../print.ts'

interface Options {
  readonly as?: string
  readonly json?: boolean
  readonly reason?: string
}

const APPROVER = 'ben'

export function inboxCommand(): Command {
  return new Command('inbox')
    .description('what waits for your yes or no')
    .option('--as <person>', 'the approver')
    .option('--json', 'one object a line')
    .action(async ({ as, json }: Options) => {
      const { items } = await asPerson(as, APPROVER).get('/v1/approvals?status=pending&limit=200')
      const open = Array.isArray(items) ? items.filter(isObject) : []
      if (open.length === 0) printer.note('nothing waits for you')
      for (const each of open) {
        if (json === true) printer.json(each)
        else
          printer.line(
            plain(each['level']),
            `${plain(each['tool'])} ${plain(each['arguments'])} · until ${plain(each['expires_at'])} · ${plain(each['id'])}`,
          )
      }
    })
}

export function showCommand(): Command {
  return new Command('show')
    .argument('<id>', 'apr_…')
    .description('exactly what will run, if you say yes')
    .option('--as <person>', 'the approver')
    .option('--json', 'the whole answer')
    .action(async (id: string, { as, json }: Options) => {
      const body = await asPerson(as, APPROVER).get(`/v1/approvals/${encodeURIComponent(id)}`)
      if (json === true) printer.json(body)
      else printCard(body)
    })
}

export function decideCommand(decision: 'approve' | 'deny'): Command {
  return new Command(decision)
    .argument('<id>', 'apr_…')
    .description(decision === 'approve' ? 'yes, once, to exactly this call' : 'no')
    .option('--as <person>', 'the approver')
    .option('--reason <text>', 'why, for the record')
    .action(async (id: string, { as, reason }: Options) => {
      const caller = asPerson(as, APPROVER)
      const path = `/v1/approvals/${encodeURIComponent(id)}`
      const { binding_hash: bindingHash } = await caller.get(path)
      const body = await caller.post(`${path}/decision`, {
        decision,
        binding_hash: bindingHash ?? null,
        ...(reason === undefined ? {} : { reason }),
      })
      const once =
        decision === 'approve' ? `once, exactly this, until ${plain(body['approved_until'])}` : ''
      printer.line(plain(body['status']), once)
      if (body['status'] === 'approved') {
        printer.line('use it', `the agent asks again, with --approval ${plain(id)}`)
      }
      printer.line('', plain(body['event_id']))
    })
}

function printCard(body: JsonObject): void {
  const {
    tool,
    target,
    arguments: args,
    sponsor,
    purpose,
    justification,
    asked_by: rules,
    lease,
  } = body
  printer.line('will run', `${plain(tool)} on ${plain(target)}`)
  printer.line('', plain(args))
  printer.line('read as', plain(body['facts']))
  printer.line(
    'for',
    isObject(sponsor)
      ? `${plain(sponsor['display'] ?? sponsor['id'])}, purpose ${plain(purpose)}`
      : '',
  )
  for (const each of Array.isArray(body['path']) ? body['path'] : []) {
    if (isObject(each)) printer.line('by', `${plain(each['name'])} (${plain(each['agent_id'])})`)
  }
  if (isObject(justification)) {
    printer.line('says why', `“${plain(justification['text'])}” (the agent's words, not checked)`)
  }
  printer.line('rule', Array.isArray(rules) ? rules.map(plain).join(', ') : '')
  printer.line('gives', plain(lease))
  const until = body['approved_until'] ?? body['expires_at']
  printer.line('status', `${plain(body['status'])} · until ${plain(until)}`)
}
