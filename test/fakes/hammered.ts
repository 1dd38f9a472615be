/** What a checker sees of a small world in which everything holds; to be broken in one place each. */
import { type Line, BLANK, sha256 } from '../../hammer/journal.ts'
import { textAt } from '../../hammer/invariants/finding.ts'
import type { Credential, Leaf, Snapshot } from '../../hammer/snapshot.ts'
import { canonical, type Json, type JsonObject } from '../../src/domain/json.ts'
import { EMPTY_TREE, grow, leafHash, rootOf } from '../../src/ledger/merkle.ts'

const BEGIN = Date.parse('2026-03-01T12:00:00Z')
export const second = (n: number) => new Date(BEGIN + n * 1000)
export const SECRET = 'correct-horse-battery-staple-of-at-least-forty-characters'

const decision = (id: string, more: JsonObject): JsonObject => ({
  ...{ consent_id: 'con_1', purpose: 'reporting', budgets: [{ debited: 1 }] },
  call: { tool: 'sql.query', args_hash: `args of ${id}`, ttl_seconds: 60 },
  decision: {
    ...{ id, answer: 'allow', revocation_epoch: 0, policy_epoch: 1, policy_set_hash: 'p' },
    ...{ schema_hash: 's', facts_hash: 'f', context_hash: 'c' },
  },
  evaluation: { status: 'evaluated' },
  ...more,
})

const issuance = (id: string, of: string): JsonObject => ({
  ...{ consent_id: 'con_1', purpose: 'reporting' },
  call: { tool: 'sql.query', args_hash: `args of ${of}` },
  credential: { id, decision_id: of, expires_at: second(40).toISOString() },
})

const RECORDS: readonly JsonObject[] = [
  {
    ...{ event_type: 'consent_granted', consent_id: 'con_1' },
    consent: {
      ...{ tools: ['sql.*'], purpose: 'reporting', max_uses: 2, max_ttl_seconds: 300 },
      expires_at: second(3600).toISOString(),
    },
  },
  { event_type: 'decision', ...decision('dec_1', {}) },
  { event_type: 'issuance', ...issuance('crd_1', 'dec_1') },
  {
    ...{ event_type: 'approval_decided', call: { args_hash: 'args of dec_2' } },
    approval: { id: 'apr_1', binding_hash: 'b' },
  },
  {
    event_type: 'decision',
    ...decision('dec_2', { approval: { id: 'apr_1', binding_hash: 'b' } }),
  },
  { event_type: 'issuance', ...issuance('crd_2', 'dec_2') },
  { event_type: 'credential_ended', credential: { id: 'crd_2' } },
  { event_type: 'revocation', remediation: { target: { kind: 'consent', id: 'con_1' } } },
]

export function leafOf(seq: number, record: JsonObject): Leaf {
  const eventId = `evt_${String(seq)}`
  const whole = {
    ...record,
    ...{ seq, event_id: eventId, recorded_at: second(seq).toISOString() },
  }
  const entry = canonical(whole)
  const hash = Buffer.from(leafHash(entry)).toString('base64')
  return { seq, eventId, type: textAt(record, 'event_type') ?? '', entry, hash, record: whole }
}

const credential = (n: number): Credential => ({
  ...{ id: `crd_${String(n)}`, decision_id: `dec_${String(n)}`, state: 'returned' },
  ...{
    connector: 'postgres',
    downstream_name: `cb_${String(n)}`,
    sponsor: 'spn_1',
    agent: 'agt_1',
  },
  ...{ consent: 'con_1', issued_at: second(2), expires_at: second(40), updated_at: second(7) },
  ...{ ended_at: second(7), end_reason: 'returned', confirmed_dead_at: second(7) },
  approval_id: n === 2 ? 'apr_1' : null,
})

export function lineOf(said: Partial<Line> & Pick<Line, 'op'>): Line {
  const at = second(6).getTime()
  const who = { actor: 'kims-bot', sponsor: 'kim', at, answeredAt: at }
  return { ...BLANK, ...who, status: 201, ...said }
}

export function aSoundWorld(): Snapshot {
  const leaves = RECORDS.map((record, seq) => leafOf(seq, record))
  const minted = (n: number) => ({
    ...{
      op: 'mint' as const,
      key: `key ${String(n)}`,
      consent: 'con_1',
      event: `evt_${String(3 * n - 1)}`,
    },
    ...{ credential: `crd_${String(n)}`, decision: `dec_${String(n)}`, ids: [`crd_${String(n)}`] },
    secret: sha256(n === 1 ? SECRET : 'another'),
  })
  return {
    ...{ now: second(9), leaves, credentials: [credential(1), credential(2)] },
    approvals: [
      {
        ...{ id: 'apr_1', status: 'approved', binding_hash: 'b', agent: 'agt_1', sponsor: 'spn_1' },
        ...{ approver: 'ben', consumed_by: 'dec_2' },
      },
    ],
    ...{ revocations: [], keys: [], logins: [], sessions: [], idleInTransaction: 0, oldLocks: 0 },
    ...{
      checkpoints: [checkpointOf(leaves)],
      witnessed: [checkpointOf(leaves)],
      printed: ['ready'],
    },
    journal: [
      lineOf({ ...minted(1), status: 0, secret: null, credential: null, event: null, ids: [] }),
      ...[lineOf(minted(1)), lineOf(minted(2))],
      lineOf({ op: 'redeem', key: 'r', credential: 'crd_1' }),
      lineOf({ op: 'withdraw', consent: 'con_1', event: 'evt_7', answeredAt: second(8).getTime() }),
      lineOf({ op: 'calm', at: second(8).getTime() }),
    ],
  }
}

function checkpointOf(leaves: readonly Leaf[]) {
  const { tree } = grow(
    EMPTY_TREE,
    leaves.map(({ entry }) => leafHash(entry)),
  )
  return { size: tree.size, root: Buffer.from(rootOf(tree)).toString('base64'), note: '' }
}

/** The same world with one member of one record changed, and the log made whole around it. */
export function rewritten(seq: number, path: readonly string[], value: Json): Partial<Snapshot> {
  const leaves = aSoundWorld().leaves.map((leaf) =>
    leaf.seq === seq ? leafOf(seq, put(leaf.record, path, value)) : leaf,
  )
  return { leaves, checkpoints: [checkpointOf(leaves)], witnessed: [] }
}

/** The same world with more on record. */
export function extended(...records: readonly JsonObject[]): Partial<Snapshot> {
  const { leaves: before } = aSoundWorld()
  const leaves = [...before, ...records.map((record, n) => leafOf(before.length + n, record))]
  return { leaves, checkpoints: [checkpointOf(leaves)], witnessed: [] }
}

function put(record: JsonObject, [name = '', ...rest]: readonly string[], value: Json): JsonObject {
  const inner = record[name]
  const isDeeper = rest.length > 0 && typeof inner === 'object' && !Array.isArray(inner)
  return { ...record, [name]: isDeeper && inner !== null ? put(inner, rest, value) : value }
}
