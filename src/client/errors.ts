/** What can go wrong between a client and the broker. Nothing here ever means "go on". */
import type { JsonObject } from '../domain/json.ts'

/** The broker answered, and the answer is no: an RFC 9457 problem, or an OAuth error. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  /** `access_denied`, `outside_authority`, `unavailable` … */
  readonly code: string
  /** All that was said, by its wire names: `detail`, `fix`, `stopped_by`, `decision_id` … */
  readonly problem: JsonObject

  constructor(status: number, problem: JsonObject) {
    const said = [
      problem['detail'],
      problem['error_description'],
      problem['title'],
      problem['error'],
    ]
    super(said.find((text) => typeof text === 'string') ?? `refused with ${String(status)}`)
    this.status = status
    this.problem = problem
    const code = problem['code'] ?? problem['error']
    this.code = typeof code === 'string' ? code : 'internal_error'
  }
}

/** Nobody answered, or what answered was not the broker. Nothing is known, so nothing was granted. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable'
}

/**
 * What was to be handed on is more than what is held, or nothing may be handed on at all. It was found
 * here: nobody was asked, and nothing was signed.
 */
export class CannotDelegate extends Error {
  override readonly name = 'CannotDelegate'
  /** As the broker would call it: `not_narrower`, `depth_invalid`, `expired`, `malformed`; or `no_root`. */
  readonly outcome: string
  /** Which member: `scopes[0]`, `purpose`, `constraints[facts.tables,subset_of]`, `exp`. */
  readonly field: string | null
  readonly fix: string

  constructor(
    outcome: string,
    { detail, fix, field }: { detail: string; fix: string; field?: string },
  ) {
    super(detail)
    this.outcome = outcome
    this.field = field ?? null
    this.fix = fix
  }
}
