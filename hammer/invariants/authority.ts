/** Whose authority, how wide, and who may see it: evaluated once more, from the records alone. */
import type { Leaf, Snapshot } from '../snapshot.ts'
import {
  at,
  both,
  byName,
  type Check,
  decisionsOf,
  each,
  isYes,
  ofType,
  textAt,
} from './finding.ts'

export const AUTHORITY: readonly Check[] = [
  {
    ...{
      id: 'I4',
      says: 'no wider and no longer than was consented to and decided',
      when: 'always',
    },
    look(seen) {
      const [decisions, consents] = [decisionsOf(seen), consentsOf(seen)]
      return each(ofType(seen, 'issuance'), (issued) => {
        const decided = decisions.get(textAt(issued.record, 'credential', 'decision_id') ?? '')
        const consent = consents.get(textAt(issued.record, 'consent_id') ?? '')
        const id = String(textAt(issued.record, 'credential', 'id'))
        if (!decided || !consent) return `${id} has no decision or no consent on record`
        const wider = widerThan(issued, decided, consent)
        return wider === null ? null : `${id}: ${wider}`
      })
    },
  },
  {
    ...{ id: 'I8', says: 'four eyes, and the same arguments at every step', when: 'always' },
    look: (seen) => both(fourEyes(seen), sameCall(seen)),
  },
  {
    ...{
      id: 'I9',
      says: 'fail closed: nothing is allowed whose checks are not stamped',
      when: 'always',
    },
    look: (seen) =>
      each(ofType(seen, 'decision'), ({ record }) => {
        if (textAt(record, 'decision', 'answer') !== 'allow') return null
        const stamps = ['revocation_epoch', 'policy_epoch'].map((name) =>
          at(record, 'decision', name),
        )
        const isWhole = stamps.every((stamp) => typeof stamp === 'number')
        const isEvaluated = textAt(record, 'evaluation', 'status') === 'evaluated'
        const id = String(textAt(record, 'decision', 'id'))
        return isWhole && isEvaluated ? null : `${id} was allowed without its checks`
      }),
  },
  {
    ...{ id: 'I12', says: 'nobody is told of what is somebody else’s', when: 'always' },
    look: isolation,
  },
]

const consentsOf = (seen: Snapshot) =>
  byName(ofType(seen, 'consent_granted'), ({ record }) => textAt(record, 'consent_id'))

function widerThan(issued: Leaf, decided: Leaf, consent: Leaf): string | null {
  const time = (value: unknown) => Date.parse(String(value))
  const ends = time(at(issued.record, 'credential', 'expires_at'))
  const ttl = Number(at(decided.record, 'call', 'ttl_seconds'))
  const terms = (name: string) => at(consent.record, 'consent', name)
  const tools = terms('tools')
  const tool = textAt(issued.record, 'call', 'tool') ?? ''
  const isCovered =
    Array.isArray(tools) && tools.some((scope) => typeof scope === 'string' && covers(scope, tool))
  const purpose = textAt(issued.record, 'purpose') ?? ''
  const wide = textAt(consent.record, 'consent', 'purpose') ?? ''
  if (!isCovered) return `${tool} is not among the tools`
  if (purpose !== wide && !purpose.startsWith(`${wide}.`)) return `${purpose} is not its purpose`
  if (ttl > Number(terms('max_ttl_seconds'))) return 'it lives longer than was consented to'
  if (ends > time(terms('expires_at'))) return 'it outlives its consent'
  const begun = time(issued.record['recorded_at'])
  return ends > begun + ttl * 1000 ? 'it lives longer than was decided' : null
}

const covers = (scope: string, tool: string) =>
  scope === tool || (scope.endsWith('.*') && tool.startsWith(scope.slice(0, -1)))

function fourEyes(seen: Snapshot) {
  const answered = seen.approvals.filter(({ approver }) => approver !== null)
  return each(answered, ({ id, approver, agent, sponsor }) =>
    approver === agent || approver === sponsor ? `${id} was approved by its own side` : null,
  )
}

/** The call that was asked about, said yes to, decided and issued is one call. */
function sameCall(seen: Snapshot) {
  const decisions = decisionsOf(seen)
  const approved = byName(ofType(seen, 'approval_decided'), ({ record }) =>
    textAt(record, 'approval', 'id'),
  )
  return each(ofType(seen, 'issuance'), ({ record }) => {
    const id = String(textAt(record, 'credential', 'id'))
    const decided = decisions.get(textAt(record, 'credential', 'decision_id') ?? '')
    const call = (leaf: Leaf | undefined) => leaf && textAt(leaf.record, 'call', 'args_hash')
    const own = textAt(record, 'call', 'args_hash')
    if (!decided || call(decided) !== own) return `${id} was issued for another call`
    const approval = textAt(decided.record, 'approval', 'id')
    if (approval === null) return null
    const yes = approved.get(approval)
    const bound = (leaf: Leaf) => textAt(leaf.record, 'approval', 'binding_hash')
    const isSame = yes !== undefined && call(yes) === own && bound(yes) === bound(decided)
    return isSame ? null : `${id} rests on a yes to another call`
  })
}

/** What was first told to one side is never told to another's agents. Approvers see what they are asked. */
function isolation({ journal }: Snapshot) {
  const owners = new Map<string, string>()
  const sides = new Set(['ana', 'kim'])
  const own = journal.filter((line) => isYes(line) && sides.has(line.sponsor))
  for (const { ids, sponsor } of own)
    for (const id of ids) if (!owners.has(id)) owners.set(id, sponsor)
  return each(own, ({ ids, sponsor, actor }) => {
    const foreign = ids.find((id) => owners.get(id) !== sponsor)
    return foreign === undefined ? null : `${actor} was told of ${foreign}`
  })
}
