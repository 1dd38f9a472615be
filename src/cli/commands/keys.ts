/** procura keys: what the broker signs and seals with. */
import { Command } from 'commander'
import { createKeys } from '../../keys.ts'
import { printer } from '../print.ts'
import { configuration } from '../settings.ts'

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
  return keys
}
