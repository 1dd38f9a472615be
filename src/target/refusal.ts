/** Why a call is not served, as its caller may know it: RFC 6750 §3 and RFC 9449 §7.1. */

export type RefusalCode =
  'invalid_request' | 'invalid_token' | 'invalid_dpop_proof' | 'insufficient_scope' | 'unavailable'

export interface Refusal {
  readonly ok: false
  readonly status: 400 | 401 | 403 | 503
  readonly code: RefusalCode
  /** Which check: one word, for a log and for whoever looks for what is wrong. */
  readonly reason: string
  /** What to do about it. */
  readonly fix: string
}

const ROWS = {
  invalid_request: [400, 'Send the call again, as this service describes it'],
  invalid_token: [401, 'Ask the broker for a new credential for this call'],
  invalid_dpop_proof: [401, 'Sign a fresh proof over this token, method and address'],
  insufficient_scope: [403, 'Ask the broker for a credential for exactly this call'],
  unavailable: [503, 'Send the same call again in a moment, with a fresh proof'],
} as const satisfies Record<RefusalCode, readonly [Refusal['status'], string]>

export function refuse(code: RefusalCode, reason: string): Refusal {
  const [status, fix] = ROWS[code]
  return { ok: false, status, code, reason, fix }
}

/** The value of `WWW-Authenticate`; none where another proof or token would not help. */
export function challenge({ code, reason, status }: Refusal): string | null {
  if (status !== 401 && status !== 403) return null
  return `DPoP error="${code}", error_description="${reason}", algs="ES256 Ed25519 EdDSA"`
}
