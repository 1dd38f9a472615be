/** The verifier's own rules for one entry by itself: its bytes, and the members its type must have. */
import { Wrong } from './verify-findings.ts'

/** Reads JSON; `undefined` if it is none. What JSON.parse overlooks, the canonical form shows. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** What a record has at a place like `call.args_hash`; `undefined` if it has no such place. */
export function at(record: unknown, place: string): unknown {
  let value = record
  for (const name of namesOf(place)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** Of a million entries the same few places are asked for: those that are written here and in the replay. */
function namesOf(place: string): readonly string[] {
  let names = asked.get(place)
  if (names === undefined) asked.set(place, (names = place.split('.')))
  return names
}
const asked = new Map<string, readonly string[]>()

/** Reads the exact bytes of the entry at this index. Throws `Wrong`. */
export function entryOf(text: string, index: number): unknown {
  const record = jsonOf(text)
  const demand = (holds: boolean, rule: string, message: string) => {
    if (!holds) throw new Wrong(rule, message, index)
  }
  demand(Buffer.byteLength(text) <= OCTETS_MAX, 'form', 'the entry is too long')
  demand(isCanonical(record, text), 'canonical', 'the entry is not canonical JSON')
  demand(at(record, 'seq') === index, 'sequence', 'the entry is not at its index')
  const type = String(at(record, 'event_type'))
  const places = PLACES.get(type) ?? []
  const isKnown = places.length > 0 && at(record, 'v') === 1
  demand(isKnown, 'type', 'the type of the entry is not known')
  demand((index === 0) === (type === 'log_opened'), 'opening', 'a log opens once, at index 0')
  for (const place of places) {
    const value = at(record, place)
    const isThere = value !== undefined && (value !== null || mayBeNull(record, place))
    demand(isThere, 'members', `the entry has no ${place}`)
  }
  return record
}

/**
 * RFC 8785, for records: integers are their only numbers. That is how JSON.stringify writes what has its
 * members in order, which is seen in a tenth of the time that it takes to write it here.
 *
 * @param record what `text` was read as
 */
export function isCanonical(record: unknown, text: string): boolean {
  if (record === undefined) return false
  const mayHaveSurrogate = text.includes(ESCAPED_SURROGATE)
  const isSeen = !mayHaveSurrogate && isPlain(record) && JSON.stringify(record) === text
  return isSeen || canonicalOf(record) === text
}

/** Members in order, and integers. `false` is no answer: names like `10` are kept elsewhere than where they were. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  if (Array.isArray(value)) return value.every(isPlain)
  if (typeof value !== 'object' || value === null) return true
  const names = Object.keys(value)
  return names.every((name, index) => {
    const isNext = index === 0 || name > (names[index - 1] ?? '')
    return isNext && isPlain((value as Record<string, unknown>)[name])
  })
}

/** Whatever has no such form becomes `!`, which stands nowhere in JSON outside a string. */
function canonicalOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalOf).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = value as Record<string, unknown>
    const names = Object.keys(members).sort()
    return `{${names.map((name) => `${canonicalOf(name)}:${canonicalOf(members[name])}`).join(',')}}`
  }
  const isNone =
    value === undefined ||
    (typeof value === 'number' && !Number.isSafeInteger(value)) ||
    (typeof value === 'string' && LONE_SURROGATE.test(value))
  return isNone ? '!' : JSON.stringify(value)
}

/** What could not be established when nothing was decided, or of a tuple that is not a tool call. */
function mayBeNull(record: unknown, place: string): boolean {
  if (place === 'cause_event') return true
  return at(record, 'decision.answer') === 'none' || at(record, 'face') === 'authzen'
}

const OCTETS_MAX = 32_768
/** As JSON.stringify writes one that stands alone. */
const ESCAPED_SURROGATE = '\\ud'
const LONE_SURROGATE = /\p{Surrogate}/u
const ALWAYS = 'v event_id event_type seq occurred_at recorded_at time_basis request_id face actor'
const DECIDED = 'sponsor_id consent_id chain purpose call decision evaluation posture'

/** The closed list of types, and what each must carry. */
const MUST: Readonly<Record<string, string>> = {
  log_opened: 'change',
  log_reopened: 'change',
  agent_registered: 'sponsor_id change sealed',
  agent_retired: 'sponsor_id change',
  consent_granted: 'sponsor_id consent_id consent purpose sealed',
  session_issued: 'sponsor_id consent_id chain purpose posture',
  root_issued: 'sponsor_id consent_id chain purpose',
  delegation_registered: 'sponsor_id consent_id chain purpose',
  decision: DECIDED,
  explained: DECIDED,
  approval_requested: 'sponsor_id consent_id call decision approval',
  approval_decided: 'approval call',
  issuance: 'sponsor_id consent_id chain purpose call credential',
  issuance_failed: 'credential evaluation budgets remediation reason',
  usage: 'credential.id call effect',
  credential_ended: 'credential effect reason',
  revocation: 'remediation',
  remediation: 'remediation cause_event',
  freeze: 'remediation',
  canary_tripped: 'effect remediation',
  orphan_call: 'effect remediation',
  refusals: 'refusals',
  admin_change: 'change',
  legal_hold: 'change',
  payload_erased: 'change',
  outage: 'reason refusals',
}
const PLACES = new Map(
  Object.entries(MUST).map(([type, must]) => [type, `${ALWAYS} ${must}`.split(' ')]),
)
