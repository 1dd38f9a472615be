/** What happens at most once, and what a no, or an unknown, stays. */
import type { Line } from '../journal.ts'
import type { Snapshot } from '../snapshot.ts'
import {
  both,
  byName,
  type Check,
  decisionsOf,
  delivered,
  each,
  grouped,
  isYes,
  ofType,
  textAt,
} from './finding.ts'

/** A lease that failed was none: what it used is given back. */
const isSome = ({ state }: { state: string }) => state !== 'failed'

export const ONCE: readonly Check[] = [
  {
    ...{ id: 'I5', says: 'a yes, a use, a decision, a lease is good for one', when: 'always' },
    look: (seen) => both(approvals(seen), decisions(seen), uses(seen), redemptions(seen)),
  },
  {
    ...{ id: 'I10', says: 'one key, one credential, and its secret once', when: 'always' },
    look: (seen) =>
      both(
        each([...byKey(seen)], ([name, lines]) => {
          const ids = new Set(lines.filter(isYes).flatMap(({ credential }) => credential ?? []))
          const secrets = new Set(lines.flatMap(({ secret }) => secret ?? []))
          if (ids.size > 1) return `${name} names ${[...ids].join(' and ')}`
          return secrets.size > 1 ? `${name} told ${String(secrets.size)} secrets` : null
        }),
        each([...grouped(delivered(seen), ({ secret }) => secret).values()], (lines) =>
          lines.length === 1
            ? null
            : `the secret of ${String(lines[0]?.credential)} was told twice`,
        ),
      ),
  },
  {
    ...{ id: 'I19', says: 'a refusal stays one', when: 'always' },
    look: (seen) =>
      each([...byKey(seen)], ([name, lines]) => {
        const first = lines.findIndex(({ status, code }) => isFinal(status, code))
        const later =
          first < 0 ? undefined : lines.slice(first).find(({ secret }) => secret !== null)
        return later
          ? `${name} was refused, and then answered with ${String(later.credential)}`
          : null
      }),
  },
  {
    ...{
      id: 'I20',
      says: 'unknown is not success: what was told as failed is not alive',
      when: 'calm',
    },
    look(seen) {
      const ofDecision = byName(seen.credentials, (row) => row.decision_id)
      const failures = seen.journal.filter(
        ({ op, status }) => op === 'mint' && (status === 502 || status === 504),
      )
      return both(
        each(failures, ({ decision, code }) => {
          const row = ofDecision.get(decision ?? '')
          const isOver = row === undefined || row.ended_at !== null
          return isOver ? null : `${row.id} was told as ${String(code)} and is ${row.state}`
        }),
        each(failures, ({ key, actor }) => {
          const told = seen.journal.find(
            (line) => line.key === key && line.actor === actor && line.secret,
          )
          return told ? `${String(told.credential)} was told as failed, and then delivered` : null
        }),
      )
    },
  },
]

/** A no that a decision said; what did not get as far may be asked again. */
const isFinal = (status: number, code: string | null) =>
  status === 403 || status === 410 || code === 'approval_consumed'

const byKey = ({ journal }: Snapshot) =>
  grouped(journal, ({ op, key, actor }: Line) => (op === 'mint' && key ? `${actor} ${key}` : null))

function approvals(seen: Snapshot) {
  const used = grouped(seen.credentials.filter(isSome), (row) => row.approval_id)
  return each([...used], ([id, rows]) =>
    rows.length === 1 ? null : `${id} is behind ${String(rows.length)} credentials`,
  )
}

function decisions(seen: Snapshot) {
  const used = grouped(ofType(seen, 'issuance'), ({ record }) =>
    textAt(record, 'credential', 'decision_id'),
  )
  const known = decisionsOf(seen)
  return each([...used], ([id, leaves]) => {
    if (leaves.length > 1) return `${id} was issued ${String(leaves.length)} times`
    return known.has(id) ? null : `${id} was issued and never decided`
  })
}

/** Under a consent: what was issued, and not given back, is within what was consented to. */
function uses(seen: Snapshot) {
  const issued = grouped(seen.credentials.filter(isSome), (row) => row.consent)
  const refunded = new Set(
    ofType(seen, 'credential_ended')
      .filter(({ record }) => Array.isArray(record['budgets']))
      .map(({ record }) => textAt(record, 'credential', 'id')),
  )
  return each(ofType(seen, 'consent_granted'), ({ record }) => {
    const id = textAt(record, 'consent_id') ?? ''
    const most = Number((record['consent'] as { max_uses?: number } | undefined)?.max_uses)
    const spent = (issued.get(id) ?? []).filter((row) => !refunded.has(row.id)).length
    return spent <= most ? null : `${id} is for ${String(most)} uses and has ${String(spent)}`
  })
}

function redemptions({ journal }: Snapshot) {
  const spent = journal.filter((line) => line.op === 'redeem' && isYes(line))
  return each([...grouped(spent, ({ credential }) => credential)], ([id, lines]) => {
    const keys = new Set(lines.map(({ key }) => key))
    return keys.size === 1 ? null : `${id} was spent ${String(keys.size)} times`
  })
}
