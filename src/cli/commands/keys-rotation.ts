/** procura keys rotate, prune and list: new keys for old, while everything runs. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Config } from '../../config.ts'
import { holdsPrivate, type SetName, SETS } from '../../key-files.ts'
import { readKeyFile, rotateSeal } from '../../keys.ts'
import { type KeyState, PUBLISHED_SECONDS } from '../../rotation.ts'
import { CommandError, EXIT } from '../exit.ts'
import type { Place } from '../key-rotation.ts'
import { printer } from '../print.ts'
import { configuration, connected } from '../settings.ts'

type What = SetName | 'seal'
const SET_NAMES = Object.keys(SETS) as SetName[]
/** Brokers look at their keys every two seconds. */
const SECONDS = { min: 5, max: 30 * 86_400 }
const STEPS = `
A broker that runs takes the new key up by itself, within two seconds; nothing is restarted. The old key
goes on verifying what it signed. When that has ended: procura keys prune.
roots and evidence are never pruned: what they signed is looked at for as long as the log is.
seal is another thing: it seals at once, and then: procura keys rewrap.`

function readNames(text: string, before: readonly What[] = []): readonly What[] {
  const name = [...SET_NAMES, 'seal' as const].find((known) => known === text)
  if (name === undefined) throw new InvalidArgumentError(`one of ${SET_NAMES.join(', ')}, seal`)
  return [...before, name]
}

function readSeconds(text: string): number {
  const seconds = Number(text)
  const { min, max } = SECONDS
  if (/^\d+$/.test(text) && seconds >= min && seconds <= max) return seconds
  throw new InvalidArgumentError(`a whole number from ${String(min)} to ${String(max)}`)
}

const warn = (text: string) => {
  printer.note(text)
}
const told = (at: Date) => at.toISOString().replace('.000Z', 'Z')

export function addRotation(keys: Command): void {
  keys
    .command('rotate')
    .argument('<what...>', `${SET_NAMES.join(', ')}, or seal`, readNames)
    .description('make a new key: it is published at once, and signs when everybody knows it')
    .option('--in <seconds>', 'when it begins to sign', readSeconds, 2 * PUBLISHED_SECONDS)
    .addOption(
      new Option('--to <place>', 'where it is made, if not where the last one is').choices([
        ...(['file', 'token'] as const),
      ]),
    )
    .addHelpText('before', 'procura keys rotate sessions credentials\n')
    .addHelpText('after', STEPS)
    .action(rotate)
  keys
    .command('prune')
    .argument('[sets...]', SET_NAMES.join(', '), readNames)
    .description('take out the keys whose last signature has ended; safe to run every day')
    .addHelpText('before', 'procura keys prune\n')
    .action(prune)
  keys
    .command('list')
    .description('of every set, which key signs, which will, and until when the others count')
    .action(list)
}

interface How {
  readonly in: number
  readonly to?: Place
}

async function rotate(what: readonly What[], { in: seconds, to }: How): Promise<void> {
  const config = configuration()
  if (to !== undefined && what.includes('seal')) {
    throw new CommandError('where the seal is made is said by PROCURA_SEAL', EXIT.usage)
  }
  for (const name of what) {
    if (name === 'seal') {
      await rotateTheSeal(config)
      continue
    }
    const { rotateSet } = await import('../key-rotation.ts')
    const { kid, place, signsFrom } = await rotateSet(connected(config), name, { seconds, to })
    const where = `${place === 'token' ? 'in the token, ' : ''}in ${name}.json and on record`
    printer.line('made', `${kid}, ${where}; it signs from ${told(signsFrom)}`)
    printer.line('then', `before that, the same ${name}.json in the key folder of every host`)
  }
}

async function prune(given: readonly What[]): Promise<void> {
  const config = connected(configuration())
  const { pruneSet } = await import('../key-rotation.ts')
  for (const name of given.length > 0 ? given : await ownSets(config)) {
    if (name === 'seal') throw new CommandError('a seal ends with keys rewrap', EXIT.usage)
    const { gone, left } = await pruneSet(config, name)
    for (const kid of gone) printer.line('retired', kid)
    for (const uri of left) printer.line('then', `remove it from its token: ${uri}`)
    if (gone.length === 0) printer.line('current', name)
  }
}

async function list(): Promise<void> {
  const config = connected(configuration())
  const { statesIn } = await import('../key-rotation.ts')
  for (const name of await ownSets(config)) {
    for (const { kid, state, at, inToken } of await statesIn(config, name)) {
      printer.line(state, `${kid}${inToken === undefined ? '' : ' in the token'}${tail(state, at)}`)
    }
  }
}

function tail(state: KeyState['state'], at: Date | null): string {
  const words = { signs: '', 'will sign': 'from', verifies: 'until', ended: 'since' }
  return at === null ? '' : ` ${words[state]} ${told(at)}`
}

/** Those whose private half is in this folder: of one side's, the others are the other side's. */
async function ownSets({ keysDir }: Config): Promise<SetName[]> {
  const there = await readdir(keysDir)
  const own: SetName[] = []
  for (const name of SET_NAMES.filter((set) => there.includes(`${set}.json`))) {
    const text = await readKeyFile(join(keysDir, `${name}.json`), warn)
    if (holdsPrivate(text, name)) own.push(name)
  }
  return own
}

async function rotateTheSeal(config: Config): Promise<void> {
  const { keysDir, sealKey, sealToken, role } = config
  if (sealToken !== null) {
    const { rotateToken } = await import('../token-rotation.ts')
    printer.line('made', `${await rotateToken(sealToken)}, in the token`)
    // Of a broker that is both sides, what identifies people has its seal in the file.
    if (role === 'cdp' || sealKey !== null) {
      printer.line('then', 'run procura keys rewrap')
      return
    }
  }
  if (sealKey !== null) {
    const fix = 'put a new key before it there: both, with a comma between'
    throw new CommandError(`the seal is PROCURA_SEAL_KEY: ${fix}`, EXIT.usage)
  }
  await rotateSeal(keysDir)
  printer.line('made', 'a new seal, before the others in seal.key')
  printer.line('then', 'copy seal.key to every host of this broker, and run procura keys rewrap')
}
