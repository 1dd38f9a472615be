/** procura keys: what the broker signs and seals with. */
import { join } from 'node:path'
import { Command } from 'commander'
import { readSet, type SetName, SETS } from '../../key-files.ts'
import { createKeys, publicJwks, readKeyFile } from '../../keys.ts'
import { splitKeys } from '../../side-keys.ts'
import { CommandError, EXIT } from '../exit.ts'
import { plain, printer } from '../print.ts'
import { configuration, connected } from '../settings.ts'
import { addRotation } from './keys-rotation.ts'

export function keysCommand(): Command {
  const keys = new Command('keys').description('the keys that the broker signs and seals with')
  keys
    .command('create')
    .description('make the keys that are missing; those that are there stay as they are')
    .addHelpText('before', 'PROCURA_KEYS=/run/secrets/procura procura keys create\n')
    .action(async () => {
      const { keysDir } = configuration()
      const made = await createKeys(keysDir)
      for (const name of made) printer.line('made', name)
      if (made.length === 0) printer.line('current', 'every key was there')
      printer.line('', keysDir)
    })
  keys
    .command('split')
    .description('a folder of keys for each of two processes, from that of a broker that is both')
    .requiredOption('--out <dir>', 'gets a folder pdp and a folder cdp')
    .option(
      '--keep-seal',
      'cdp can open what is stored for targets, until it is under its new seal',
    )
    .addHelpText('before', 'procura keys split --out /run/secrets\n')
    .action(async ({ out, keepSeal = false }: { out: string; keepSeal?: boolean }) => {
      const { keysDir, sealKey } = configuration('all')
      const made = await splitKeys(keysDir, out, { keepSeal, sealKey })
      for (const name of made) printer.line('made', name)
      printer.line('', out)
      printer.line('then', keepSeal ? REWRAP : 'procura target secret, for each target, with cdp')
    })
  addRotation(keys)
  keys
    .command('public')
    .argument('<set>', Object.keys(SETS).join(', '))
    .description('the public half of a set, for the key folder of the other side')
    .addHelpText('before', 'procura keys public credentials > credentials.json\n')
    .action(async (given: string) => {
      const name = (Object.keys(SETS) as SetName[]).find((known) => known === given)
      if (name === undefined) throw new CommandError(`there is no set ${plain(given)}`, EXIT.usage)
      const text = await readKeyFile(join(configuration().keysDir, `${name}.json`), () => undefined)
      printer.json(publicJwks(readSet(text, name)))
    })
  keys
    .command('rewrap')
    .description('put what is stored under the newest seal; may be killed, and run again')
    .action(rewrap)
  return keys
}

const REWRAP = 'procura keys rewrap with cdp, then keep only the first line of cdp/seal.key'

async function rewrap(): Promise<void> {
  const { rewrap: rewrapped } = await import('../rewrap.ts')
  const { targets, people } = await rewrapped(connected(configuration()), (so) => {
    printer.note(`wrapped    ${String(so)}`)
  })
  if (targets !== null) printer.line('targets', `${String(targets)} wrapped anew, and all are`)
  if (people === null) return
  const { done, closed } = people
  printer.line('people', `${String(done)} wrapped anew${done === 0 ? ': all are' : ''}`)
  if (closed > 0) printer.line('', `${String(closed)} open under no line of seal.key`)
}
