/** procura why: who consented, why it was decided so, and what came of it. */
import { Command } from 'commander'
import type { Caller } from '../../client/person.ts'
import { isObject, type Json, type JsonObject } from '../../domain/json.ts'
import { asPerson } from '../context.ts'
import { plain, printer } from '../print.ts'

export function whyCommand(): Command {
  return new Command('why')
    .argument('<id>', 'dec_…')
    .description('one decision: on whose behalf, through whom, by which rules, with what result')
    .option('--as <person>', 'an auditor, or the sponsor')
    .option('--json', 'the decision and its events')
    .addHelpText('before', 'procura why dec_01m7ysq11gex8arycvhxvfqv87\n')
    .action(async (id: string, { as, json }: { as?: string; json?: boolean }) => {
      const caller = asPerson(as, 'cleo')
      if (json === true) {
        printer.json(await caller.get(`/v1/decisions/${encodeURIComponent(id)}`))
        return
      }
      for (const { label, text } of await waterfall(caller, id)) printer.line(label, text)
    })
}

export interface Step {
  readonly label: string
  readonly text: string
}

/** The story of a decision, top to bottom, as an auditor may read it. */
export async function waterfall(auditor: Caller, decisionId: string): Promise<Step[]> {
  const decision = await auditor.get(`/v1/decisions/${encodeURIComponent(decisionId)}`)
  const chain = objectAt(decision, 'chain')
  const consent = await auditor.get(`/v1/consents/${plain(chain['consent_id'])}`)
  const events = await eventsAbout(auditor, decisionId, decision['credential_id'])
  const request = objectAt(decision, 'request')
  const rules = Array.isArray(decision['policies']) ? decision['policies'].filter(isObject) : []
  return [
    {
      label: 'consented',
      text: `${plain(consent['sponsor_id'])} let it: ${plain(consent['tools'])} for ${plain(consent['purpose'])}, ${plain(consent['uses'])} of ${plain(consent['max_uses'])} used`,
    },
    ...hopsOf(chain).map((hop) => ({
      label: ' └ asked',
      text: `${plain(hop['client_id'])} for ${plain(hop['purpose'])}, as ${plain(hop['instance_id'])}`,
    })),
    {
      label: 'call',
      text: `${plain(request['tool'])} on ${plain(request['target'])} · arguments ${plain(request['args_hash'])}`,
    },
    {
      label: plain(decision['answer']),
      text: `${plain(decision['code'])} · policy set ${plain(decision['policy_set_hash']).slice(0, 12)}…`,
    },
    ...rules.map((rule) => ({
      label: 'rule',
      text: `${plain(rule['id'])} (${plain(rule['effect'])})`,
    })),
    ...events.map(({ index, record }) => ({
      label: `entry ${String(index)}`,
      text: `${plain(record['event_type'])} at ${plain(record['recorded_at'])}`,
    })),
  ]
}

interface Event {
  readonly index: number
  readonly record: JsonObject
}

async function eventsAbout(
  auditor: Caller,
  decision: string,
  credential: Json | undefined,
): Promise<Event[]> {
  const subjects = typeof credential === 'string' ? [decision, credential] : [decision]
  const found = new Map<number, Event>()
  for (const subject of subjects) {
    const { items } = await auditor.get(`/v1/ledger/entries?limit=200&subject=${subject}`)
    for (const each of Array.isArray(items) ? items.filter(isObject) : []) {
      const { index, record } = each
      if (typeof index === 'number' && isObject(record)) found.set(index, { index, record })
    }
  }
  return [...found.values()].sort((a, b) => a.index - b.index)
}

function objectAt(body: JsonObject, name: string): JsonObject {
  const value = body[name]
  return isObject(value) ? value : {}
}

const hopsOf = (chain: JsonObject) =>
  Array.isArray(chain['hops']) ? chain['hops'].filter(isObject) : []
