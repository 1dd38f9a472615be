/** An honest log of a few acts, and exports of it: as it is, or as somebody rewrote and signed it. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { checkpointBody, signNote, vkeyOf } from '../../src/ledger/checkpoint.ts'
import { EMPTY_TREE, grow, leafHash, rootOf } from '../../src/ledger/merkle.ts'

export const ORIGIN = 'broker.example/v1/ledger'

/** The Ed25519 key whose seed is SHA-256 of these words. */
export function keyFrom(words: string): KeyObject {
  const seed = createHash('sha256').update(words).digest()
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
}
export const LOG_KEY = keyFrom('procura example log key')
export const VKEY = vkeyOf(ORIGIN, createPublicKey(LOG_KEY))

export function checkpointAt(leaves: readonly string[], size: number, key = LOG_KEY): string {
  const hashes = leaves.slice(0, size).map((leaf) => leafHash(leaf))
  const root = rootOf(grow(EMPTY_TREE, hashes).tree)
  return signNote(checkpointBody({ origin: ORIGIN, size, root }), ORIGIN, key)
}

export const header = JSON.stringify({ format: 'procura-ledger-export/1', origin: ORIGIN })
export const leafLine = (leaf: string) => JSON.stringify({ leaf })
export const noteLine = (checkpoint: string) => JSON.stringify({ checkpoint })

/** The lines of an export, checkpointed at these sizes; at its end if none is given. */
export function exportOf(leaves: readonly string[], sizes = [leaves.length]): string[] {
  const notes = sizes.map((size) => noteLine(checkpointAt(leaves, size)))
  return [header, ...leaves.map(leafLine), ...notes]
}

/** Leaves of these records, numbered in order. */
export function leavesOf(records: readonly JsonObject[]): string[] {
  return records.map((record, seq) => canonical({ ...record, seq }))
}

const who = { sponsor_id: 'spn_1', subject_kind: 'human', consent_id: 'con_1', purpose: 'support' }
const hop = { depth: 0, token_hash: null, client_id: 'agt_1', instance_id: 'ins_1' }
const chain = { leaf: null, depth: 0, hops: [hop] }
const posture = { model: null, risk: 'low', signals: [] }
const evaluation = { status: 'evaluated', unavailable_input: null }
const sealed = { commitment: 'c', fields: ['person'], payload_id: 'p' }
const callNamed = (name: string) => ({
  ...{ tool: 'payments.refund', tool_hash: 't', target: 'payments', args_hash: `args ${name}` },
  ...{ request_hash: `request ${name}`, ttl_seconds: 60 },
})
const budget = (debited: number, usedAfter: number) => [
  { account: 'con_1', key: 'calls', type: 'max_subtree', limit: 3, debited, used_after: usedAfter },
]
const approval = { id: 'apr_1', binding_hash: 'b', level: 'L2', quorum: { needed: 1, given: 0 } }

function decision(name: string, answer: string, more: JsonObject = {}): JsonObject {
  return {
    ...who,
    ...{ event_type: 'decision', chain, posture, evaluation, call: callNamed(name) },
    decision: { id: `dec_${name}`, answer, level: 'L1' },
    ...more,
  }
}
function issuance(name: string): JsonObject {
  const credential = { id: `crd_${name}`, decision_id: `dec_${name}`, ttl_seconds: 60 }
  return { ...who, event_type: 'issuance', chain, call: callNamed(name), credential }
}

/** What happened, by the name of the act. */
const STORY = {
  opened: { event_type: 'log_opened', change: { kind: 'log', name: ORIGIN } },
  registered: {
    event_type: 'agent_registered',
    sponsor_id: 'spn_1',
    change: { name: 'agt_1' },
    sealed,
  },
  granted: { ...who, event_type: 'consent_granted', consent: { tools: ['payments.*'] }, sealed },
  session: { ...who, event_type: 'session_issued', chain, posture },
  allowA: decision('a', 'allow', { budgets: budget(1, 1) }),
  issueA: issuance('a'),
  denied: decision('x', 'deny'),
  unevaluated: decision('y', 'none', {
    ...{ sponsor_id: null, consent_id: null, chain: null },
    evaluation: { status: 'not_evaluated', unavailable_input: 'database' },
  }),
  ask: decision('q', 'ask'),
  asked: {
    ...{ ...who, event_type: 'approval_requested', call: callNamed('b') },
    ...{ decision: { id: 'dec_q', answer: 'ask' }, approval: { ...approval, status: 'pending' } },
  },
  approved: {
    ...{ event_type: 'approval_decided', call: callNamed('b'), sealed },
    approval: {
      ...{ ...approval, status: 'approved', decision: 'approve', approver_id: 'spn_2' },
      approved_until: '2026-11-21T11:00:00.000Z',
    },
  },
  allowB: decision('b', 'allow', {
    decision: { id: 'dec_b', answer: 'allow', level: 'L2' },
    approval: { id: 'apr_1', binding_hash: 'b' },
    budgets: budget(1, 2),
  }),
  issueB: issuance('b'),
  allowC: decision('c', 'allow', { budgets: budget(1, 3) }),
  failedC: {
    ...{ event_type: 'issuance_failed', evaluation, budgets: budget(-1, 2), remediation: {} },
    ...{ credential: { id: 'crd_c', decision_id: 'dec_c' }, reason: 'downstream_failed' },
  },
  ended: {
    ...{ event_type: 'credential_ended', credential: { id: 'crd_a' }, reason: 'expired' },
    effect: { observed: 'unknown', source: 'none', agreement: 'indeterminate' },
  },
  withdrawn: {
    event_type: 'revocation',
    remediation: { id: 'rev_1', target: { kind: 'consent', id: 'con_1' }, cause: 'withdrawn' },
  },
  removed: {
    ...{ event_type: 'remediation', cause_event: null },
    remediation: { target: { kind: 'credential', id: 'crd_b' }, outcome: 'confirmed' },
  },
  outage: { event_type: 'outage', reason: 'ledger', refusals: { count: 2 } },
} satisfies Record<string, JsonObject>

export type Act = keyof typeof STORY

/** The story in order, each act with what every entry has. */
export function aLog(): { act: Act; record: JsonObject }[] {
  return Object.entries(STORY).map(([act, members], seq) => {
    const at = `2026-11-21T10:16:${String(seq).padStart(2, '0')}.000Z`
    const record = {
      ...{ v: 1, event_id: `evt_${act}`, occurred_at: at, recorded_at: at, time_basis: 'database' },
      ...{
        request_id: `r${String(seq)}`,
        face: 'native',
        actor: { kind: 'system', id: 'procura' },
      },
      ...members,
    }
    return { act: act as Act, record: JSON.parse(JSON.stringify(record)) as JsonObject }
  })
}

/** The leaves of a log that was rewritten before it was signed. */
export function forged(
  rewrite: (log: ReturnType<typeof aLog>) => ReturnType<typeof aLog>,
): string[] {
  return leavesOf(rewrite(aLog()).map(({ record }) => record))
}

/** The log with one act rewritten before it was signed: what a dishonest broker could publish. */
export const rewritten = (act: Act, rewrite: (record: JsonObject) => unknown) =>
  forged((log) => {
    for (const entry of log) if (entry.act === act) rewrite(entry.record)
    return log
  })
export const without = (...acts: Act[]) =>
  forged((log) => log.filter(({ act }) => !acts.includes(act)))
/** Acts out of order; the clock is not what gives it away. */
export const moved = (act: Act, before: Act) =>
  forged((log) => {
    const rest = log.filter((entry) => entry.act !== act)
    const entry = log
      .filter((one) => one.act === act)
      .map(({ record }) => ({ act, record: { ...record, clock_regressed: true } }))
    const at = rest.findIndex((one) => one.act === before)
    return rest
      .toSpliced(at, 0, ...entry)
      .map(({ act: name, record }) => ({ act: name, record: { ...record, clock_regressed: true } }))
  })
export const twice = (act: Act) =>
  forged((log) => log.flatMap((entry) => (entry.act === act ? [entry, entry] : [entry])))
export const member = (record: JsonObject, name: string) => record[name] as JsonObject
export const first = (record: JsonObject, name: string) => (record[name] as JsonObject[])[0] ?? {}
