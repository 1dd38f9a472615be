/** The story of a decision, top to bottom: who, through whom, by which rule, and what came of it. */
import type { Caller } from '../client/person.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { plain } from './print.ts'

export interface Step {
  readonly label: string
  readonly text: string
}

/** As an auditor may read it; names are those that are not erased. */
export async function waterfall(auditor: Caller, decisionId: string): Promise<Step[]> {
  const decision = await auditor.get(`/v1/decisions/${encodeURIComponent(decisionId)}`)
  const { consent_id: consentId, hops } = objectAt(decision, 'chain')
  const subjects = [consentId, ...idsIn(decision['approvals']), decisionId]
  const events = await eventsAbout(auditor, [...subjects, decision['credential_id'] ?? null])
  const own = events.filter(({ record }) => !ofOthers(record, decisionId, decision))
  return [
    ...(await consented(auditor, consentId, own)),
    ...(await asked(auditor, decision, objectsIn(hops))),
    ...own.flatMap(({ record, opened }) => approvedStep(record, opened)),
    decidedStep(decision),
    ...own.flatMap(({ record }) => outcomeStep(record)),
    { label: 'ledger', text: `entries ${own.map(({ index }) => String(index)).join(', ')}` },
  ]
}

/** The consent has events of other calls too. */
function ofOthers(record: JsonObject, decisionId: string, decision: JsonObject): boolean {
  if (record['event_type'] === 'consent_granted') return false
  const text = JSON.stringify(record)
  const ids = [decisionId, decision['credential_id'], ...idsIn(decision['approvals'])]
  return !ids.some((id) => typeof id === 'string' && text.includes(`"${id}"`))
}

async function consented(
  auditor: Caller,
  consentId: Json | undefined,
  events: readonly Event[],
): Promise<Step[]> {
  if (typeof consentId !== 'string') return []
  const consent = await auditor.get(`/v1/consents/${consentId}`)
  const given = events.find(({ record }) => record['event_type'] === 'consent_granted')
  const who = personIn(given?.opened) ?? plain(consent['sponsor_id'])
  const { tools, purpose, uses, max_uses: max, status } = consent
  const what = `${listed(tools)} for ${plain(purpose)}, ${plain(uses)} of ${plain(max)} used`
  return [{ label: 'consented', text: `${who}${at(given?.record)} · ${what} · ${plain(status)}` }]
}

async function asked(
  auditor: Caller,
  decision: JsonObject,
  hops: readonly JsonObject[],
): Promise<Step[]> {
  const { tool, target, purpose } = objectAt(decision, 'request')
  const steps: Step[] = []
  const asker = hops.at(-1)
  for (const hop of hops) {
    const { client_id: agent, instance_id: instance, purpose: own } = hop
    const { name } = await auditor.get(`/v1/agents/${plain(agent)}`)
    const isAsker = hop === asker
    const call = `${plain(tool)} on ${plain(target)} for ${plain(purpose)} · ${plain(instance)}`
    const what = isAsker ? call : `for ${plain(own)}`
    const label = isAsker ? '└ asked' : '└ handed'
    steps.push({ label, text: `${plain(name)} · ${what}` })
  }
  return steps
}

function approvedStep(record: JsonObject, opened: JsonObject | null): Step[] {
  if (record['event_type'] !== 'approval_decided') return []
  const { decision, status, evidence_hash: evidence } = objectAt(record, 'approval')
  if (decision === null)
    return [{ label: ` └ ${plain(status)}`, text: `nobody's word${at(record)}` }]
  // A word without evidence came when the approval was final: it is on record, and changed nothing.
  const late = evidence === null ? ' · too late, changed nothing' : ''
  const text = `${personIn(opened) ?? 'a person'}${at(record)}${late}`
  return [{ label: ` └ ${plain(decision)}`, text }]
}

function decidedStep(decision: JsonObject): Step {
  const { answer, code, policies, policy_set_hash: set, stopped_by: stopped } = decision
  const rules = objectsIn(policies).map(({ id, effect }) => `${plain(id)} (${plain(effect)})`)
  const by = rules.length > 0 ? rules.join(', ') : 'no rule'
  const where = isObject(stopped) ? ` · stopped at ${plain(stopped['kind'])}` : ''
  const text = `${plain(code)} by ${by}${where} · policy set ${plain(set).slice(0, 8)}…`
  return { label: ` └ ${plain(answer)}`, text }
}

function outcomeStep(record: JsonObject): Step[] {
  const { event_type: type, reason } = record
  const credential = objectAt(record, 'credential')
  switch (type) {
    case 'issuance': {
      const life = `${plain(credential['ttl_seconds'])} s`
      const text = `${plain(credential['id'])} · ${plain(credential['kind'])}, ${life}${at(record)}`
      return [{ label: '  └ issued', text }]
    }
    case 'usage':
      return [{ label: '   used', text: `once${at(record)}` }]
    case 'issuance_failed':
    case 'credential_ended':
      return [{ label: '   ended', text: `${plain(reason)}${at(record)}` }]
    default:
      return []
  }
}

interface Event {
  readonly index: number
  readonly record: JsonObject
  readonly opened: JsonObject | null
}

async function eventsAbout(
  auditor: Caller,
  subjects: readonly (Json | undefined)[],
): Promise<Event[]> {
  const found = new Map<number, Event>()
  for (const subject of subjects) {
    if (typeof subject !== 'string') continue
    const { items } = await auditor.get(`/v1/ledger/entries?limit=200&subject=${subject}`)
    for (const { index, record, opened } of objectsIn(items)) {
      if (typeof index !== 'number' || !isObject(record)) continue
      found.set(index, { index, record, opened: isObject(opened) ? opened : null })
    }
  }
  return [...found.values()].sort((one, other) => one.index - other.index)
}

function personIn(opened: JsonObject | null | undefined): string | null {
  const { display } = objectAt(opened ?? {}, 'person')
  return typeof display === 'string' ? plain(display) : null
}

/** ` · 21 Nov 2026 06:23:52 UTC` */
function at(record: JsonObject | undefined): string {
  const time = record?.['recorded_at']
  return typeof time === 'string' ? ` · ${new Date(time).toUTCString().slice(5, 25)} UTC` : ''
}

const listed = (names: Json | undefined) =>
  Array.isArray(names) ? names.map(plain).join(', ') : ''
const objectsIn = (value: Json | undefined) => (Array.isArray(value) ? value.filter(isObject) : [])
const idsIn = (value: Json | undefined) =>
  Array.isArray(value) ? value.map((it) => (isObject(it) ? (it['id'] ?? null) : it)) : []

function objectAt(body: JsonObject, name: string): JsonObject {
  const value = body[name]
  return isObject(value) ? value : {}
}
