/** procura chain: on whose behalf, and through whom. */
import { Command } from 'commander'
import { chainTree } from '../chain-tree.ts'
import { asPerson } from '../context.ts'
import { printer } from '../print.ts'

interface Options {
  readonly as?: string
  readonly json?: boolean
  readonly tokens?: boolean
}

export function chainCommand(): Command {
  const chain = new Command('chain').description(
    'on whose behalf something is done, and through whom',
  )
  chain
    .command('show')
    .argument('<id>', 'con_… dlg_… dec_… apr_… or crd_…')
    .description('who consented, what each hop dropped, what is left, what was done under it')
    .option('--as <person>', 'an auditor, or the sponsor')
    .option('--tokens', 'with --json: the signed tokens too, of those whose time is over')
    .option('--json', 'the whole answer, as one object')
    .addHelpText('before', 'procura chain show dlg_01m7ysq11gex8arycvhxvfqv87\n')
    .action(async (id: string, { as, json, tokens }: Options) => {
      const query = tokens === true ? '?include=tokens' : ''
      const body = await asPerson(as, 'cleo').get(`/v1/chains/${encodeURIComponent(id)}${query}`)
      if (json === true) printer.json(body)
      else for (const { label, text } of chainTree(body)) printer.line(label, text)
    })
  return chain
}
