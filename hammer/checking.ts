/** All invariants against one look. What is looked at is only what anybody outside can see. */
import { AUTHORITY } from './invariants/authority.ts'
import type { Check, Finding } from './invariants/finding.ts'
import { LIVES } from './invariants/lives.ts'
import { ONCE } from './invariants/once.ts'
import { RECORD } from './invariants/record.ts'
import { SECRETS } from './invariants/secrets.ts'
import type { Snapshot } from './snapshot.ts'

export const CHECKS: readonly Check[] = [
  ...RECORD,
  ...LIVES,
  ...AUTHORITY,
  ...ONCE,
  ...SECRETS,
].sort((one, other) => Number(one.id.slice(1)) - Number(other.id.slice(1)))

/** What no look from here can tell, and who does. */
export const NOT_CHECKED: readonly (readonly [id: string, why: string])[] = [
  [
    'I6',
    'freezes, and revocations of hops, runs, sponsors and single credentials: the tests of the lines',
  ],
  ['I8', 'what an upstream received: the tests of the lines (PRX)'],
  ['I11', 'a dump of the database, its WAL and traces: the tests of the lines search those'],
  ['I13', 're-evaluation of recorded decisions: `procura why` replays one at a time'],
  ['I15', 'descriptors and memory: `hammer soak` measures them'],
  ['I16', 'clocks an hour off: the tests of faults shift them'],
  ['I18', 'witnesses that cosign are not built; the file outside the database is compared'],
]

/** @param when `always`: what must hold even while things are disturbed; `calm`: all */
export function check(seen: Snapshot, when: 'always' | 'calm'): Finding[] {
  const due = when === 'calm' ? CHECKS : CHECKS.filter((it) => it.when === 'always')
  return due.map(({ id, says, look }) => ({ id, says, ...look(seen) }))
}

export function violationsIn(findings: readonly Finding[]): string[] {
  return findings.flatMap(({ id, violations }) => violations.map((text) => `${id} ${text}`))
}

/** A line for each invariant, and one for each violation. */
export function tell(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ id, says, looked, violations }) => [
    `${violations.length === 0 ? '✓' : '✗'} ${id.padEnd(4)} ${says} (${String(looked)} looked at)`,
    ...violations.map((text) => `       ${text}`),
  ])
  return lines.join('\n')
}
