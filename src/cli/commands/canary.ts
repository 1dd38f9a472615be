/** procura canary: credentials that are worth nothing, to be found by whoever looks for some. */
import { randomUUID } from 'node:crypto'
import { Command, Option } from 'commander'
import type { Config } from '../../config.ts'
import { isId } from '../../domain/ids.ts'
import { lastIssuer } from '../context.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { DecoyRow } from '../planting.ts'
import { plain, printer } from '../print.ts'
import { configuration, connected } from '../settings.ts'
import { duration } from './consent.ts'

const SECONDS_MAX = 3650 * 86_400

interface Options {
  readonly for: string
  readonly audience?: string
  readonly tool: string
  readonly purpose: string
  readonly label: string
  readonly ttl: number
}

export function canaryCommand(): Command {
  const canary = new Command('canary').description('decoys: whoever shows one freezes its holder')
  canary
    .command('plant')
    .description('make a decoy, and print its token, this once')
    .requiredOption('--for <id>', 'agt_… or spn_…: where it will lie, and who is frozen')
    .option('--audience <audience>', 'whom it seems to be for; without it one that nobody has')
    .option('--tool <tool>', 'what it seems to be for: name one of yours', 'payments.payout')
    .option('--purpose <purpose>', 'the same: name one of yours', 'operations')
    .option('--label <text>', 'where you put it: what the alarm will say', '')
    .addOption(
      new Option('--ttl <duration>', 'what it says of its end: 30d')
        .argParser(duration)
        .default(90 * 86_400, '90d'),
    )
    .addHelpText(
      'before',
      `procura canary plant --for agt_… --label "report-bot's home folder" > .credentials\n`,
    )
    .action(plant)
  canary
    .command('list')
    .description('the decoys there are, and those that were shown to somebody')
    .option('--json', 'one object a line')
    .action(list)
  return canary
}

async function plant({ for: holder, audience, ttl, ...more }: Options): Promise<void> {
  const config = connected(configuration())
  if (!isId('agt', holder) && !isId('spn', holder)) {
    throw new CommandError('whose is it to be? --for agt_… or spn_…', EXIT.usage)
  }
  if (ttl > SECONDS_MAX) throw new CommandError('ten years at most', EXIT.usage)
  const { plantDecoy } = await import('../planting.ts')
  const { id, token, expiresAt } = await plantDecoy(
    config,
    {
      ...{ ...more, holder, seconds: ttl, issuer: issuerOf(config) },
      audience: audience ?? `urn:uuid:${randomUUID()}`,
    },
    new Date(),
  )
  if (audience !== undefined && isSomebodys(config, audience)) {
    printer.note(
      `audience   ${plain(audience)} is real: look at what docs/canaries.md says of that`,
    )
  }
  // Beside the token, which is all that is piped on.
  printer.note(`planted    ${id} for ${holder}, until ${expiresAt.toISOString()}`)
  process.stdout.write(`${token.reveal()}\n`)
}

/** @throws CommandError where it is not configured, and nothing was started here */
function issuerOf({ issuer, dataDir }: Config): string {
  const known = issuer ?? lastIssuer(dataDir)
  if (known === null) throw new CommandError('this needs PROCURA_ISSUER', EXIT.usage)
  return known
}

/** A target of the trust file, or a service that asks about tokens. */
function isSomebodys({ trust }: Config, audience: string): boolean {
  const targets = Object.values(trust.targets).map((target) => Object.values(target))
  return [...trust.services.map((service) => service.audience), ...targets.flat()].includes(
    audience,
  )
}

async function list({ json = false }: { json?: boolean }): Promise<void> {
  const { decoysIn } = await import('../planting.ts')
  const decoys = await decoysIn(connected(configuration()))
  if (decoys.length === 0 && !json) printer.note('none was planted')
  for (const decoy of decoys) {
    if (json) printer.json(shown(decoy))
    else tell(decoy)
  }
}

function shown(row: DecoyRow) {
  const { id, holder, label, seen_at: seen, tripped_event: event } = row
  return {
    ...{ id, holder, label, planted_at: row.planted_at.toISOString() },
    ...{ expires_at: row.expires_at.toISOString(), seen_at: seen?.toISOString() ?? null, event },
  }
}

function tell(row: DecoyRow): void {
  const { id, holder, label, seen_at: seen, tripped_event: event } = row
  printer.line(seen === null ? 'planted' : 'shown', `${id}   ${holder}   ${plain(label)}`.trim())
  const since = `since ${row.planted_at.toISOString()}`
  printer.line('', seen === null ? since : `${seen.toISOString()} · ${event ?? 'not frozen yet'}`)
}
