/** procura why: who consented, why it was decided so, and what came of it. */
import { Command } from 'commander'
import type { Caller } from '../../client/person.ts'
import { asPerson } from '../context.ts'
import { printer } from '../print.ts'
import { waterfall } from '../waterfall.ts'

export function whyCommand(): Command {
  return new Command('why')
    .argument('<id>', 'dec_…')
    .description('one decision: on whose behalf, through whom, by which rules, with what result')
    .option('--as <person>', 'an auditor')
    .option('--json', 'the decision, as one object')
    .addHelpText('before', 'procura why dec_01m7ysq11gex8arycvhxvfqv87\n')
    .action(async (id: string, { as, json }: { as?: string; json?: boolean }) => {
      await why(asPerson(as, 'cleo'), id, json === true)
    })
}

async function why(auditor: Caller, id: string, isJson: boolean): Promise<void> {
  if (isJson) {
    printer.json(await auditor.get(`/v1/decisions/${encodeURIComponent(id)}`))
    return
  }
  for (const { label, text } of await waterfall(auditor, id)) printer.line(label, text)
}
