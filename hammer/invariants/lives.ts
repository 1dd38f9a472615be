/** How long things live, and what a fault leaves behind. */
import type { Credential, Leaf, Snapshot } from '../snapshot.ts'
import {
  at,
  both,
  byName,
  type Check,
  credentialsOf,
  each,
  isYes,
  issuancesOf,
  ofType,
  textAt,
} from './finding.ts'

const REAP_MS = 60_000
const STUCK_MS = 120_000
const RECOVERY_MS = 30_000
const PASSING = ['minting', 'revoke_pending']
const LIVE = [...PASSING, 'active']

export const LIVES: readonly Check[] = [
  {
    ...{ id: 'I3', says: 'bounded life, no orphans', when: 'calm' },
    look: (seen) => both(orphans(seen), overdue(seen), undecided(seen)),
  },
  {
    ...{ id: 'I6', says: 'what is revoked is revoked, all of it, for ever', when: 'always' },
    look: (seen) => both(issuedAfter(seen), answeredAfter(seen), revived(seen)),
  },
  {
    ...{ id: 'I14', says: 'heals by itself', when: 'calm' },
    look({ journal }) {
      const last = journal.findLastIndex(({ op }) => op === 'fault')
      const after = journal.slice(last + 1)
      const calm = after.find(({ op }) => op === 'calm')
      const healed = after.find(({ op }) => op === 'healed')
      if (!calm) return { looked: 0, violations: [] }
      const from = Math.min(calm.at + RECOVERY_MS, healed?.at ?? Infinity)
      const since = journal.filter(({ at: sent, call }) => sent > from && call > 0)
      const failed = since.filter(({ status }) => status === 0 || status >= 500)
      const share = failed.length / Math.max(1, since.length)
      const text = `${String(failed.length)} of ${String(since.length)} attempts failed after the calm`
      return { looked: since.length, violations: share > 0.001 ? [text] : [] }
    },
  },
  {
    ...{
      id: 'I15',
      says: 'nothing stands in a transaction, nothing waits for a lock',
      when: 'always',
    },
    look: (seen) =>
      each([seen], ({ idleInTransaction: idle, oldLocks }) =>
        idle + oldLocks === 0
          ? null
          : `${String(idle)} idle in transaction, ${String(oldLocks)} old locks`,
      ),
  },
  {
    ...{ id: 'I16', says: 'nothing outlives its time by more than the bound', when: 'calm' },
    look: (seen) => each(seen.credentials, (row) => outlived(row, seen)),
  },
]

/**
 * The bound is for brokers that run: it counts from the last fault, or restart, before the end. What was
 * given up before it began, a decision that nobody redeemed, has not lived at all.
 */
function outlived(row: Credential, { journal, now }: Snapshot): string | null {
  if (row.state === 'failed' && row.ended_at?.getTime() === row.issued_at.getTime()) return null
  const end = (row.confirmed_dead_at ?? row.ended_at ?? now).getTime()
  const fault = journal.findLast(({ op, at: struck }) => op === 'fault' && struck < end)
  const over = end - Math.max(row.expires_at.getTime(), fault?.at ?? 0)
  return over <= REAP_MS ? null : `${row.id} lived ${String(over)} ms too long`
}

/** Every login at the target, and every session, belongs to a lease that is alive. */
function orphans(seen: Snapshot) {
  const live = new Set(
    seen.credentials.filter(({ state }) => LIVE.includes(state)).map((row) => row.downstream_name),
  )
  return each([...new Set([...seen.logins, ...seen.sessions])], (name) =>
    live.has(name) ? null : `${name} is at the target and its lease is over`,
  )
}

function overdue({ credentials, now }: Snapshot) {
  return each(credentials, ({ id, state, updated_at, expires_at }) => {
    const stuck = now.getTime() - updated_at.getTime()
    if (PASSING.includes(state) && stuck > STUCK_MS)
      return `${id} is ${state} for ${String(stuck)} ms`
    const over = now.getTime() - expires_at.getTime()
    return LIVE.includes(state) && over > REAP_MS ? `${id} is ${state} and long over` : null
  })
}

/** Allows that spent something and came neither to a lease nor to its failure: a use is lost with each. */
export function halfDone(seen: Snapshot): Leaf[] {
  const redeemed = byName(seen.credentials, (row) => row.decision_id)
  const givenUp = byName(ofType(seen, 'issuance_failed'), ({ record }) =>
    textAt(record, 'credential', 'decision_id'),
  )
  return ofType(seen, 'decision').filter(({ record }) => {
    const id = textAt(record, 'decision', 'id') ?? ''
    const isAllow = textAt(record, 'decision', 'answer') === 'allow'
    return isAllow && at(record, 'budgets') !== null && !redeemed.has(id) && !givenUp.has(id)
  })
}

function undecided(seen: Snapshot) {
  const old = halfDone(seen).filter(({ record }) => {
    const age = seen.now.getTime() - Date.parse(textAt(record, 'recorded_at') ?? '')
    return age > STUCK_MS
  })
  const { looked } = each(ofType(seen, 'decision'), () => null)
  const texts = old.map(({ record }) => String(textAt(record, 'decision', 'id')))
  return {
    looked,
    violations: texts.map((id) => `${id} was allowed, has spent, and came to nothing`),
  }
}

/** On record: nothing is allowed or issued under a consent after its end. */
function issuedAfter(seen: Snapshot) {
  const ended = byName(ofType(seen, 'revocation'), ({ record }) =>
    textAt(record, 'remediation', 'target', 'id'),
  )
  return each(ofType(seen, 'decision', 'issuance'), ({ seq, type, record }) => {
    const [hop] = (at(record, 'chain', 'hops') ?? []) as readonly { client_id?: string }[]
    const bases = [textAt(record, 'consent_id') ?? '', hop?.client_id ?? '']
    const end = bases.map((id) => ended.get(id)).find((it) => it !== undefined && it.seq < seq)
    const isNo = type === 'decision' && textAt(record, 'decision', 'answer') !== 'allow'
    if (!end || isNo) return null
    return `entry ${String(seq)}, ${type}, rests on what entry ${String(end.seq)} ended`
  })
}

/** At the caller: who is told that a consent has ended gets nothing under it that is asked for later. */
function answeredAfter({ journal }: Snapshot) {
  const ended = byName(
    journal.filter((line) => (line.op === 'withdraw' || line.op === 'retire') && isYes(line)),
    ({ consent }) => consent,
  )
  const minted = journal.filter(({ op, secret }) => op === 'mint' && secret !== null)
  return each(minted, ({ consent, at: asked, credential }) => {
    const end = ended.get(consent ?? '')
    return end && asked > end.answeredAt
      ? `${String(credential)} was issued after the end of ${String(consent)} was acknowledged`
      : null
  })
}

/** An end is the end: what has one on record is over in its row too. */
function revived(seen: Snapshot) {
  const rows = credentialsOf(seen)
  const issued = issuancesOf(seen)
  return each(
    ofType(seen, 'credential_ended', 'issuance_failed', 'remediation'),
    ({ seq, record }) => {
      const id = textAt(record, 'credential', 'id') ?? textAt(record, 'remediation', 'target', 'id')
      const state = rows.get(id ?? '')?.state ?? ''
      if (LIVE.includes(state)) return `${String(id)} has an end on record and is ${state}`
      const again = issued.get(id ?? '')
      return again && again.seq > seq ? `${String(id)} was issued after its end` : null
    },
  )
}
