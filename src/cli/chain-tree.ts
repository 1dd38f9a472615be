/** A chain for people: who consented, through whom it went on, what each gave up, what was done under it. */
import { boundPhrase, droppedPhrases } from '../client/phrases.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { Dropped } from '../domain/dropped.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { plain } from './print.ts'
import type { Step } from './waterfall.ts'

/** @param chain as `GET /v1/chains/{id}` answers */
export function chainTree(chain: JsonObject): Step[] {
  const consent = objectAt(chain, 'consent')
  const [hops, below] = [objectsIn(chain['hops']), objectsIn(chain['below'])]
  const isAll = chain['below_is_all'] !== false
  return [
    ...consentSteps(chain, consent),
    ...hops.flatMap(hopSteps),
    ...inOrder(below).flatMap(hopSteps),
    ...(isAll ? [] : [{ label: '', text: '… and more: ask for one of those above' }]),
    ...actSteps(chain),
    ...verificationSteps(chain),
  ]
}

function consentSteps(chain: JsonObject, consent: JsonObject): Step[] {
  const { identity, id: sponsor } = objectAt(chain, 'sponsor')
  const who = isObject(identity ?? null) ? plain((identity as JsonObject)['sub']) : plain(sponsor)
  const { tools, purpose, agent_name: agent, status, expires_at: until, id } = consent
  const what = `${plain(agent)} may use ${listed(tools)} for ${plain(purpose)}`
  return [
    { label: 'consented', text: `${who}: ${what}` },
    ...boundSteps(consent, ''),
    { label: '', text: `${plain(status)}, until ${plain(until)} · ${plain(id)}` },
    ...doneSteps(consent, ''),
  ]
}

function hopSteps(hop: JsonObject): Step[] {
  const { depth, kind, agent_name: agent, agent_id: id, purpose, status, expires_at: until } = hop
  const indent = '  '.repeat(Number(depth))
  const who = `${plain(agent ?? id)} for ${plain(purpose)}`
  const called = hop['delegation_id'] ?? hop['instance_id'] ?? null
  return [
    {
      label: kind === 'delegation' ? `hop ${plain(depth)}` : plain(kind),
      text: `${indent}└ ${who}`,
    },
    ...droppedSteps(hop, `${indent}  `),
    ...boundSteps(hop, `${indent}  `),
    { label: '', text: `${indent}  ${plain(status)}, until ${plain(until)} · ${plain(called)}` },
    ...doneSteps(hop, `${indent}  `),
  ]
}

function droppedSteps({ dropped }: JsonObject, indent: string): Step[] {
  if (!isObject(dropped ?? null)) return []
  const gone = droppedPhrases(dropped as unknown as Dropped)
  const text = gone.length > 0 ? gone.map(plain).join(' · ') : 'nothing'
  return [{ label: '', text: `${indent}dropped ${text}` }]
}

/** Bounds, each with what is left of it where it adds up here. */
function boundSteps(of: JsonObject, indent: string): Step[] {
  const { constraints } = objectAt(of, 'effective')
  const budgets = objectsIn(of['budgets'])
  return objectsIn(constraints).map((bound) => {
    const kept = budgets.find(({ key, type }) => key === bound['key'] && plain(type) in bound)
    const left = kept === undefined ? '' : `, ${plain(kept['left'])} left`
    return {
      label: '',
      text: `${indent}${plain(boundPhrase(bound as unknown as Constraint))}${left}`,
    }
  })
}

function doneSteps(of: JsonObject, indent: string): Step[] {
  const done = objectAt(of, 'done')
  const { allow, ask, deny, none } = objectAt(done, 'decisions')
  const { issued, live } = objectAt(done, 'credentials')
  if (allow === undefined) return []
  const answers = `${plain(allow)} allowed, ${plain(ask)} asked, ${plain(deny)} denied`
  const failed = none === 0 ? '' : `, ${plain(none)} not decided`
  const made = `${plain(issued)} credentials, ${plain(live)} alive`
  return [{ label: '', text: `${indent}done under it: ${answers}${failed} · ${made}` }]
}

function actSteps(chain: JsonObject): Step[] {
  const { decision_id: decision, credential_id: credential } = chain
  if (typeof decision !== 'string') return []
  const made = typeof credential === 'string' ? ` → ${plain(credential)}` : ''
  return [
    { label: 'decided', text: `${plain(decision)}${made} · why: procura why ${plain(decision)}` },
  ]
}

function verificationSteps(chain: JsonObject): Step[] {
  const {
    outcome,
    hop,
    not_performed: left,
    consent,
    when_decided: then,
  } = objectAt(chain, 'verification')
  const where = hop === undefined ? '' : hop === null ? ' at the consent' : ` at hop ${plain(hop)}`
  const evidence = consent === 'valid' ? '' : ` · the consent's evidence: ${plain(consent)}`
  const before = isObject(then ?? null)
    ? `; when decided: ${plain((then as JsonObject)['outcome'])}`
    : ''
  return [
    { label: 'verified', text: `${plain(outcome)}${where}${before}${evidence}` },
    { label: '', text: `not looked at: ${listed(left)}` },
  ]
}

/** Each below the one it was handed on from. */
function inOrder(hops: readonly JsonObject[]): JsonObject[] {
  const ids = new Set(hops.map((hop) => hop['delegation_id']))
  const under = (parent: Json): JsonObject[] =>
    hops
      .filter((hop) => hop['parent_id'] === parent)
      .flatMap((hop) => [hop, ...under(hop['delegation_id'] ?? '')])
  const tops = new Set(hops.map((hop) => hop['parent_id']).filter((id) => !ids.has(id)))
  return [...tops].flatMap((parent) => under(parent ?? null))
}

const listed = (items: Json | undefined) =>
  Array.isArray(items) ? items.map(plain).join(', ') : ''
const objectsIn = (value: Json | undefined) => (Array.isArray(value) ? value.filter(isObject) : [])

function objectAt(body: JsonObject, name: string): JsonObject {
  const value = body[name]
  return isObject(value) ? value : {}
}
