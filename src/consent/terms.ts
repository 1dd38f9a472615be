/** Which terms can be agreed to at all. */
import { type Terms, termsBody } from '../domain/consent.ts'
import { readConstraints } from '../domain/constraint-reading.ts'
import { BrokerError } from '../domain/problems.ts'
import { PURPOSE } from '../domain/purpose.ts'
import { isToolName, isWildcard } from '../domain/scope.ts'

/** The words that there are. */
export interface Vocabulary {
  readonly isPurpose: (purpose: string) => boolean
  /** Whether a scope covers at least one declared tool. */
  readonly isDeclared: (scope: string) => boolean
}

/** @throws BrokerError `schema_violation`, `unknown_tool`, `unknown_purpose` */
export function checkTerms(terms: Terms, { isPurpose, isDeclared }: Vocabulary): void {
  const { tools, purpose } = terms
  if (tools.length < 1 || tools.length > 64) throw wrong('/tools', '1 to 64')
  for (const [at, tool] of tools.entries()) {
    if (!isToolName(tool) && !isWildcard(tool)) throw wrong(`/tools/${String(at)}`, 'scope')
    if (tools.indexOf(tool) !== at) throw wrong(`/tools/${String(at)}`, 'unique')
  }
  const read = readConstraints(termsBody(terms)['constraints'] ?? [])
  if (!read.ok) throw wrong(`/constraints${read.pointer}`, read.rule)
  checkRange('/max_uses', terms.maxUses, [1, 1_000_000])
  checkRange('/max_hops', terms.maxHops, [0, 7])
  checkRange('/max_ttl_seconds', terms.maxTtlSeconds, [1, 3600])
  const unknown = tools.findIndex((tool) => !isDeclared(tool))
  if (unknown >= 0) throw missing('unknown_tool', `/tools/${String(unknown)}`)
  if (!PURPOSE.test(purpose) || !isPurpose(purpose)) throw missing('unknown_purpose', '/purpose')
}

const DAY_MS = 24 * 3600 * 1000

/** @throws BrokerError `schema_violation` unless it ends after now, and within the days allowed */
export function checkExpiry({ expiresAt }: Terms, now: Date, daysMax: number): void {
  const ahead = expiresAt.getTime() - now.getTime()
  if (!(ahead > 0)) throw wrong('/expires_at', 'in the future')
  if (ahead > daysMax * DAY_MS) throw wrong('/expires_at', `within ${String(daysMax)} days`)
}

function checkRange(pointer: string, value: number, [min, max]: [number, number]): void {
  const isWithin = Number.isSafeInteger(value) && value >= min && value <= max
  if (!isWithin) throw wrong(pointer, `${String(min)} to ${String(max)}`)
}

function wrong(pointer: string, rule: string): BrokerError {
  return new BrokerError('schema_violation', { shown: { errors: [{ pointer, rule }] } })
}

function missing(code: 'unknown_tool' | 'unknown_purpose', pointer: string): BrokerError {
  return new BrokerError(code, { shown: { errors: [{ pointer, rule: 'declared' }] } })
}
