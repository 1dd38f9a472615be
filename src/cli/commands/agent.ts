/** procura agent: register, list, retire. */
import { Command } from 'commander'
import { generateKey } from '../../client/key.ts'
import { clientSettings } from '../../config.ts'
import { isObject } from '../../domain/json.ts'
import { agentFile, asPerson, freeForAgent, saveAgent } from '../context.ts'
import { textIn } from '../member.ts'
import { plain, printer } from '../print.ts'

export function agentCommand(): Command {
  const agent = new Command('agent').description('register agents, list them, retire them')
  agent
    .command('create')
    .argument('<name>', 'how people will know it')
    .description('register an agent by a key of its own, which stays in the data folder')
    .option('--as <person>', 'the sponsor')
    .option('--issuer <issuer>', 'an OIDC workload issuer, instead of a key')
    .option('--subject <subject>', 'its subject there')
    .option('--spiffe <id>', 'a SPIFFE ID, instead of a key')
    .addHelpText('before', 'procura agent create report-bot\n')
    .action(async (name: string, options: CreateOptions) => {
      const key = generateKey()
      const workload = workloadOf(options) ?? { kind: 'jwk', jwk: key.publicJwk }
      const { dataDir } = clientSettings()
      if (workload.kind === 'jwk') freeForAgent(dataDir, name)
      const body = await asPerson(options.as, 'ana').post('/v1/agents', { name, workload })
      if (workload.kind === 'jwk') {
        saveAgent(dataDir, name, { id: textIn(body, 'id'), key })
        printer.line('key', agentFile(dataDir, name))
      }
      printer.line('registered', `${plain(body['name'])}   ${plain(body['id'])}`)
    })
  agent
    .command('list')
    .description('the agents you sponsor')
    .option('--as <person>', 'the sponsor')
    .option('--json', 'one object a line')
    .action(async ({ as, json }: { as?: string; json?: boolean }) => {
      const { items } = await asPerson(as, 'ana').get('/v1/agents?limit=200')
      for (const each of Array.isArray(items) ? items : []) {
        if (json === true) printer.json(each)
        else if (isObject(each)) {
          printer.line(plain(each['status']), `${plain(each['name'])}   ${plain(each['id'])}`)
        }
      }
    })
  agent
    .command('retire')
    .argument('<id>', 'agt_…')
    .description('end an agent for good: its sessions, consents and credentials stop')
    .option('--as <person>', 'the sponsor')
    .action(async (id: string, { as }: { as?: string }) => {
      const body = await asPerson(as, 'ana').delete(`/v1/agents/${encodeURIComponent(id)}`)
      printer.line('retired', plain(id))
      printer.line('stopped', plain(body['revoked']))
      printer.line('', plain(body['id']))
    })
  return agent
}

interface CreateOptions {
  readonly as?: string
  readonly issuer?: string
  readonly subject?: string
  readonly spiffe?: string
}

function workloadOf({ issuer, subject, spiffe }: CreateOptions) {
  if (spiffe !== undefined) return { kind: 'spiffe', id: spiffe }
  if (issuer !== undefined && subject !== undefined) return { kind: 'oidc', issuer, subject }
  return null
}
