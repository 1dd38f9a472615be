/** procura ledger: the log's head, an export of it, and the check that needs nobody's word. */
import { createReadStream, createWriteStream, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { exitCode, type Verdict, verifyLedger } from '../../ledger/verify.ts'
import { linesOf } from '../../ledger/verify-lines.ts'
import { asPerson, readState } from '../context.ts'
import { poolFor } from '../database.ts'
import { CommandError, EXIT } from '../exit.ts'
import { fetchCheckpoint, fromDatabase, headOf, overHttp } from '../ledger-export.ts'
import { localVerifierKey } from '../local-key.ts'
import { plain, printer } from '../print.ts'
import { configuration } from '../settings.ts'

interface Options {
  readonly as?: string
  readonly database?: boolean
  readonly key?: string[]
  readonly against?: string[]
  readonly out?: string
  readonly json?: boolean
}

export function ledgerCommand(): Command {
  const ledger = new Command('ledger').description('the record: what it says, and whether it holds')
  ledger
    .command('head')
    .description('the newest signed checkpoint, and the key to check it with')
    .option('--raw', 'the signed note, as it is')
    .action(head)
  live(ledger.command('export'))
    .description('the whole log, as lines of JSON that anybody can check')
    .option('--out <file>', 'where to (standard output)')
    .addHelpText('before', 'procura ledger export --out ledger.jsonl\n')
    .action(async ({ out, ...options }: Options) => {
      const to = out === undefined ? process.stdout : createWriteStream(out, { mode: 0o600 })
      await withLines(options, async (lines) => {
        await pipeline(Readable.from(withFeeds(lines)), to, { end: out !== undefined })
      })
    })
  live(ledger.command('verify'))
    .argument('[file]', 'an export; without it, the log of the broker here')
    .description('check every entry, the tree, the signatures and the rules between entries')
    .option('--key <key...>', 'whom to believe: name+id+key, or a file with it', append)
    .option('--against <file...>', 'checkpoints that you kept', append)
    .option('--json', 'the verdict, as one object')
    .addHelpText('before', 'procura ledger verify ledger.jsonl --key procura.vkey\n')
    .addHelpText(
      'after',
      '\nexit codes  0 all of it holds · 1 something is wrong · 2 it could not be checked',
    )
    .action(verify)
  return ledger
}

const live = (command: Command) =>
  command
    .option('--database', 'read DATABASE_URL instead of asking the broker')
    .option('--as <person>', 'the auditor')

async function head({ raw }: { raw?: boolean }): Promise<void> {
  const note = await fetchCheckpoint(readState().issuer)
  if (raw === true) {
    process.stdout.write(note)
    return
  }
  const { origin, size, root } = headOf(note)
  printer.line('entries', String(size))
  printer.line('root', root)
  printer.line('log', plain(origin))
  const key = localVerifierKey(origin)
  if (key !== null) printer.line('key', key)
}

async function verify(file: string | undefined, options: Options): Promise<void> {
  const against = (options.against ?? []).map((name) => readFileSync(name, 'utf8'))
  const check = async (lines: AsyncIterable<string>) => {
    const { origin, rest } = await peek(lines)
    return await verifyLedger(rest, { vkeys: keysFor(origin, options.key), against })
  }
  const verdict =
    file === undefined
      ? await withLines(options, check)
      : await check(linesOf(createReadStream(file))).catch(unreadable)
  if (options.json === true) process.stdout.write(`${JSON.stringify(verdict)}\n`)
  else print(verdict)
  process.exitCode = exitCode(verdict)
}

/** With no key given, the one of the broker whose keys lie here. */
function keysFor(origin: string, given: readonly string[] | undefined): string[] {
  if (given !== undefined) return given.map(keyFrom)
  const own = localVerifierKey(origin)
  if (own === null) throw new CommandError('whom do you believe? give --key', EXIT.usage)
  return [own]
}

const keyFrom = (text: string) => (text.includes('+') ? text : readFileSync(text, 'utf8').trim())

async function withLines<T>(
  options: Options,
  work: (lines: AsyncIterable<string>) => Promise<T>,
): Promise<T> {
  if (options.database !== true) {
    const { issuer } = readState()
    return await work(overHttp(issuer, asPerson(options.as, 'cleo')))
  }
  const config = configuration()
  const { databaseUrl } = config
  if (databaseUrl === null) throw new CommandError('--database needs DATABASE_URL', EXIT.usage)
  const pool = poolFor({ ...config, databaseUrl }, 'procura_verify')
  try {
    return await work(fromDatabase(pool, config.tenant))
  } finally {
    await pool.end()
  }
}

/** The name of the log, which the first line has, and all the lines. */
async function peek(lines: AsyncIterable<string>) {
  const all = lines[Symbol.asyncIterator]()
  const first = await all.next()
  const rest = async function* () {
    if (first.done !== true) yield first.value
    for (let next = await all.next(); next.done !== true; next = await all.next()) yield next.value
  }
  const origin = /"origin":"([^"\\]*)"/.exec(first.done === true ? '' : first.value)?.[1]
  return { origin: origin ?? '', rest: rest() }
}

async function* withFeeds(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`
}

function unreadable(error: unknown): Verdict {
  if (error instanceof CommandError) throw error
  return { ok: null, message: 'the file could not be read' }
}

function print(verdict: Verdict): void {
  if (verdict.ok === true) {
    for (const check of verdict.checks) printer.line('ok', check)
    printer.line('verified', `${String(verdict.entries)} entries · root ${verdict.root}`)
  } else if (verdict.ok === false) {
    const where = verdict.index === null ? 'the log' : `entry ${String(verdict.index)}`
    printer.line('wrong', `${where}: ${plain(verdict.message)} (${verdict.rule})`)
  } else printer.line('unchecked', plain(verdict.message))
}

const append = (text: string, before: string[] | undefined) => [...(before ?? []), text]
