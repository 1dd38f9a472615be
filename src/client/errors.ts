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
