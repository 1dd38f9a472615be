/** procura revoke: see what hangs on something, stop it for good, watch it die. */
import { setTimeout as pause } from 'node:timers/promises'
import { Argument, Command, Option } from 'commander'
import type { Caller } from '../../client/person.ts'
import { isObject, type JsonObject } from '../../domain/json.ts'
import { asPerson } from '../context.ts'
import { EXIT } from '../exit.ts'
import { plain, printer } from '../print.ts'

const KINDS = ['credential', 'delegation', 'consent', 'instance', 'agent', 'sponsor']
export const CAUSES = [
  ...['withdrawn', 'compromised', 'risk_elevated', 'subject_disabled', 'token_replay_suspected'],
  ...['policy_changed', 'operator_action', 'session_revoked'],
]
const LOOK_MS = 100
const WATCH_MS = 60_000
const TREE_LINES = 12

interface Options {
  readonly cause: string
  readonly reason?: string
  readonly dryRun?: boolean
  readonly tree?: boolean
  readonly watch?: boolean
  readonly as?: string
}

export function revokeCommand(): Command {
  return new Command('revoke')
    .addArgument(new Argument('<kind>', 'what it is').choices(KINDS))
    .argument('<id>', 'crd_…, dlg_…, con_…, ins_…, agt_…, spn_…')
    .description('stop something for good, with all that rests on it')
    .addOption(new Option('--cause <cause>', 'why').choices(CAUSES).default('withdrawn'))
    .option('--reason <text>', 'why, in your words; kept sealed')
    .option('--dry-run', 'only say what it would stop')
    .option('--tree', 'with --dry-run: every line of it')
    .option('--watch', 'wait for the targets, and tell each confirmation')
    .option('--as <person>', 'whose it is, or an operator')
    .addHelpText('before', 'procura revoke agent agt_01m7w77j52ebmvakg1jsjb5f75 --dry-run\n')
    .action(async (kind: string, id: string, options: Options) => {
      const caller = asPerson(options.as, 'ana')
      const { cause, reason } = options
      const body = { target: { kind, id }, cause, ...(reason === undefined ? {} : { reason }) }
      if (options.dryRun === true) {
        const reach = await caller.post('/v1/revocations?dry_run=true', body)
        printReach(reach, options.tree === true)
        return
      }
      const sentAt = performance.now()
      const revocation = await caller.post('/v1/revocations', body)
      printer.line('stopped', `${kind} ${plain(id)}   ${plain(revocation['id'])}`)
      printer.line('', countsIn(revocation))
      if (options.watch === true) await watch(caller, revocation, sentAt)
      else printer.line('confirmed', confirmed(confirmationsIn(revocation)))
    })
}

/** `2 consents · 1 credential`; what there is none of is left out. */
function countsIn({ revoked }: JsonObject): string {
  const counts = isObject(revoked) ? Object.entries(revoked) : []
  const told = counts.flatMap(([name, count]) => {
    if (typeof count !== 'number' || count === 0) return []
    return [`${String(count)} ${count === 1 ? name.slice(0, -1) : name}`]
  })
  return told.length === 0 ? 'nothing rests on it' : told.join(' · ')
}

interface Confirmations {
  readonly confirmed: number
  readonly pending: number
  readonly notSupported: number
}

function confirmationsIn({ confirmations }: JsonObject): Confirmations {
  const told = isObject(confirmations) ? confirmations : {}
  const count = (name: string) => (typeof told[name] === 'number' ? told[name] : 0)
  return {
    ...{ confirmed: count('confirmed'), pending: count('pending') },
    notSupported: count('not_supported'),
  }
}

function confirmed({ confirmed: done, pending, notSupported }: Confirmations): string {
  const all = done + pending + notSupported
  const silent = notSupported === 0 ? '' : ` · ${String(notSupported)} cannot tell`
  return `${String(done)} of ${String(all)} at their targets${silent}`
}

/** A line for each confirmation, with the time since it was asked for; what is left is named at the end. */
async function watch(caller: Caller, revocation: JsonObject, sentAt: number): Promise<void> {
  const path = `/v1/revocations/${encodeURIComponent(plain(revocation['id']))}`
  const since = () => `${((performance.now() - sentAt) / 1000).toFixed(2)} s`
  let told = ''
  for (let now = revocation; ; now = await caller.get(path)) {
    const state = confirmationsIn(now)
    const text = confirmed(state)
    if (text !== told) printer.line(since(), text)
    told = text
    if (state.pending === 0) {
      printer.line('dead', `everything, ${since()} after it was asked for`)
      return
    }
    if (performance.now() - sentAt > WATCH_MS) {
      printer.line('pending', `${String(state.pending)} are tried until their targets confirm`)
      process.exitCode = EXIT.unavailable
      return
    }
    await pause(LOOK_MS)
  }
}

function printReach(reach: JsonObject, isWhole: boolean): void {
  printer.line('would stop', countsIn(reach))
  const { reached, is_cut: isCut } = reach
  const lines = treeOf(Array.isArray(reached) ? reached.filter(isObject) : [])
  const shown = isWhole ? lines : lines.slice(0, TREE_LINES)
  for (const line of shown) printer.line('', line)
  if (shown.length < lines.length) {
    printer.line('', `and ${String(lines.length - shown.length)} more: --tree for all`)
  }
  if (isWhole && isCut === true) printer.line('', 'and more than is told at once')
  printer.line('', 'nothing done · run it without --dry-run')
}

/** Each thing below what it rests on. */
export function treeOf(reached: readonly JsonObject[]): string[] {
  const ids = new Set(reached.map(({ id }) => id))
  const below = new Map<unknown, JsonObject[]>()
  for (const each of reached) {
    const under = ids.has(each['under']) ? each['under'] : null
    below.set(under, [...(below.get(under) ?? []), each])
  }
  const walk = (under: unknown, depth: number): string[] =>
    (below.get(under) ?? []).flatMap((each) => [
      `${'  '.repeat(depth)}${plain(each['kind'])} ${plain(each['id'])} · ${plain(each['agent_id'])}`,
      ...walk(each['id'], depth + 1),
    ])
  return walk(null, 0)
}
