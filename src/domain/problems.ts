/** Every problem a caller can be shown, and the one error that carries it. */

/**
 * RFC 9457: status, title, its `error` on /oauth/* (`null`: it cannot arise there), the fix, and a
 * sentence that is safe to show a model. A row is also the page /problems/{code}.
 */
// prettier-ignore
export const PROBLEMS = {
  malformed_request:       [400, 'The request is malformed',               'invalid_request', 'Send one JSON object, and each parameter and header once', 'The request was malformed. Mend it before you send it again.'],
  duplicate_key:           [400, 'A member occurs twice',                  'invalid_request', 'Send each member once', 'The request was malformed. Mend it before you send it again.'],
  bad_encoding:            [400, 'The body is not clean UTF-8',            'invalid_request', 'Send UTF-8 without a byte-order mark, lone surrogates or NUL', 'The request was malformed. Mend it before you send it again.'],
  unsafe_number:           [400, 'A number would lose digits',             'invalid_request', 'Send integers within 2^53, and larger or finer ones as strings', 'A number in the request would lose digits. Send it as a string.'],
  too_complex:             [400, 'The body is too deep or too large',      'invalid_request', 'Stay within 32 levels, 1,000 members, 10,000 items and 64 KiB a string', 'The request is too complex. Send less.'],
  invalid_cursor:          [400, 'The cursor belongs to another query',    null, 'Start over without a cursor', 'Start the listing over.'],
  invalid_idempotency_key: [400, 'The Idempotency-Key has a wrong form',   null, 'Use 8 to 128 of A-Z a-z 0-9 . _ ~ : + / = -', 'The Idempotency-Key was malformed.'],
  invalid_client:          [401, 'The client assertion was not accepted',  'invalid_client', 'Attest again, with a fresh assertion for this issuer', 'You could not be identified. Report it.'],
  invalid_token:           [401, 'The token was not accepted',             null, 'Get a new one', 'Your session is over or not accepted. Start a new session.'],
  invalid_dpop_proof:      [401, 'The DPoP proof was not accepted',        'invalid_dpop_proof', 'Sign a new proof over exactly what you send', 'The proof was not accepted. Sign a new one.'],
  use_dpop_nonce:          [401, 'The DPoP proof needs the current nonce', 'use_dpop_nonce', 'Sign again, with the nonce given in DPoP-Nonce', 'Sign again with the nonce given.'],
  step_up_required:        [401, 'The sign-in is too old or too weak',     null, 'Sign in again', 'A person has to sign in again.'],
  role_required:           [403, 'This role may not',                      null, 'Ask somebody who has the role', 'You may not do this.'],
  access_denied:           [403, 'Denied by policy',                       'access_denied', 'Ask for less, or ask those whom the rule names', 'You may not do this. Do not try another way; report it and go on with other work.'],
  policy_error:            [403, 'The policy could not be evaluated',      'temporarily_unavailable', 'Report the decision; do not retry', 'It could not be decided. Do not retry; report it.'],
  outside_authority:       [403, 'Outside what was handed down',           null, 'Ask for less, or ask the sponsor to consent to it', 'You may not do this. Do not try another way; report it and go on with other work.'],
  budget_exhausted:        [403, 'The budget is spent',                    null, 'Ask whoever owns that account for more', 'The budget for this is spent. Report it and go on with other work.'],
  chain_invalid:           [403, 'The chain does not hold',                'invalid_request', 'Have the hop, or the consent, made anew', 'Your authority was withdrawn or has ended. Stop and report it.'],
  frozen:                  [403, 'A person has frozen this',               'access_denied', 'Wait until an operator lifts it; asking another way does not help', 'A person has put this on hold. Stop, report it, and do not look for another way.'],
  target_denied:           [403, 'The target is not open to this call',    null, 'Use the method and path that the lease is for', 'This call is not open to you. Do not try another way; report it.'],
  approval_denied:         [403, 'A person said no',                       null, 'Ask for something else', 'A person said no. Do not try another way.'],
  self_approval:           [403, 'Nobody approves their own chain',        null, 'Ask another person whom the rule names', 'A person has to approve this.'],
  approver_not_allowed:    [403, 'The rule does not name this approver',   null, 'Ask a person whom the rule names', 'A person has to approve this.'],
  signature_required:      [403, 'A passkey signature is required',        null, 'Approve with a passkey', 'A person has to approve this.'],
  not_found:               [404, 'No such thing, or not yours',            null, 'Check the id', 'There is no such thing, or it is not yours.'],
  method_not_allowed:      [405, 'That method is not served here',         null, 'See Allow', 'That method is not served here.'],
  conflict:                [409, 'The state does not allow it',            null, 'Read the current state first', 'The state does not allow this any more.'],
  workload_taken:          [409, 'The workload belongs to another agent',  null, 'Retire that agent first, or register another workload', 'The workload is already registered.'],
  args_mismatch:           [409, 'This is not the call that was approved', null, 'Send exactly what was approved, or ask anew', 'The call differs from the one approved.'],
  approval_consumed:       [409, 'The approval was used',                  null, 'Ask for a new approval', 'The approval was used. Ask again only if the work needs it.'],
  already_redeemed:        [409, 'The credential was spent',               null, 'Ask for a new credential', 'The credential was spent.'],
  decision_stale:          [409, 'Too much has changed since',             null, 'Ask again, with a new Idempotency-Key', 'Something changed meanwhile. Ask again once.'],
  idempotency_in_flight:   [409, 'The first request is still running',     null, 'Wait a second and send it again', 'The first request is still running. Wait.'],
  not_yet_checkpointed:    [409, 'No checkpoint covers it yet',            null, 'Wait a second and ask again', 'Wait a second and ask again.'],
  approval_expired:        [410, 'The approval has expired',               null, 'Ask for a new approval', 'Nobody approved in time. Report it and go on with other work.'],
  approval_cancelled:      [410, 'The approval was cancelled',             null, 'Ask for a new approval', 'The approval was cancelled.'],
  credential_gone:         [410, 'The credential has ended',               null, 'Ask for a new credential', 'The credential has ended.'],
  payload_too_large:       [413, 'The body is too large',                  'invalid_request', 'Send at most 256 KiB (128 KiB to /oauth/*)', 'The request is too large. Send less.'],
  uri_too_long:            [414, 'The address is too long',                null, 'Stay within 8 KiB', 'The request is too large. Send less.'],
  unsupported_media_type:  [415, 'The media type is not accepted',         'invalid_request', 'Send application/json (forms to /oauth/*), not encoded', 'The request was malformed. Mend it before you send it again.'],
  headers_too_large:       [431, 'The headers are too large',              null, 'Stay within 16 KiB and 100 lines', 'The request is too large. Send less.'],
  schema_violation:        [422, 'A member is missing, unknown or wrong',  'invalid_request', 'Mend what `errors` points at', 'The request was malformed. Mend it before you send it again.'],
  arguments_invalid:       [422, 'The arguments do not fit the tool',      null, 'Mend what `errors` points at', 'The arguments do not fit the tool. Mend them.'],
  unknown_tool:            [422, 'No such tool is declared',               null, 'Use a tool that is declared', 'There is no such tool.'],
  unknown_purpose:         [422, 'No such purpose is in the vocabulary',   null, 'Use a purpose of the vocabulary', 'There is no such purpose.'],
  ttl_unavailable:         [422, 'The target cannot be that short',        null, 'Ask for a longer time, or another delivery', 'The target cannot give a credential that short.'],
  idempotency_mismatch:    [422, 'The key came with another body before',  null, 'Use a new Idempotency-Key for a new request', 'Use a new Idempotency-Key for a new request.'],
  rate_limited:            [429, 'Too many requests',                      'temporarily_unavailable', 'Wait for Retry-After', 'Too many requests. Wait before you ask again.'],
  internal_error:          [500, 'Something went wrong here',              'server_error', 'Report the request', 'Something went wrong. Report it; do not retry at once.'],
  downstream_failed:       [502, 'The target refused',                     null, 'Try again with the same Idempotency-Key to see what became of it', 'The target refused. Report it.'],
  downstream_timeout:      [504, 'The target did not answer',              null, 'Try again with the same Idempotency-Key to see what became of it', 'The target did not answer. Nothing was given out.'],
  unavailable:             [503, 'It cannot be checked or recorded now',   'temporarily_unavailable', 'Try again after Retry-After; nothing was issued', 'The broker cannot answer now. Wait, then ask again.'],
} as const satisfies Record<
  string,
  readonly [status: number, title: string, oauth: string | null, fix: string, hint: string]
>

export type ProblemCode = keyof typeof PROBLEMS

export type UnavailableInput =
  | 'database'
  | 'ledger'
  | 'replay_store'
  | 'facts'
  | 'policy'
  | 'keys'
  | 'approval_service'
  | 'downstream'
  | 'decision_point'

/** What a problem may say besides its row. Closed, so that nothing else can slip out. */
export interface Shown {
  readonly detail?: string
  readonly fix?: string
  readonly reason?: string
  readonly decision?: string
  readonly evaluation?: {
    readonly status: 'evaluated' | 'not_evaluated'
    readonly unavailableInput: UnavailableInput | null
  }
  readonly stoppedBy?: {
    readonly hop: number | null
    readonly kind: string
    readonly id: string
  }
  readonly outcome?: string
  readonly hop?: number | null
  readonly field?: string
  /** Of a chain: its bytes or shapes are at fault, not what it says. 400 then. */
  readonly isUnreadable?: true
  readonly budget?: {
    readonly account: string
    readonly key: string
    readonly type: string
    readonly limit: number
    readonly used: number
    readonly asked: number
  }
  readonly errors?: readonly {
    readonly pointer: string
    readonly rule: string
  }[]
  /** On /oauth/*: an `error` other than the row's, and a finer code. */
  readonly oauth?: { readonly error: string; readonly code: string }
  readonly retryAfterSeconds?: number
  /** On 405. */
  readonly allow?: string
}

/** `shown` may reach the caller. `message` and `cause` are for our log, and never do. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError'
  readonly code: ProblemCode
  readonly shown: Shown
  /** Another process of ours has refused it, and has counted that. */
  readonly isCounted: boolean

  constructor(
    code: ProblemCode,
    options: ErrorOptions & { message?: string; shown?: Shown; isCounted?: boolean } = {},
  ) {
    super(options.message ?? code, options)
    this.code = code
    this.shown = options.shown ?? {}
    this.isCounted = options.isCounted ?? false
  }
}

/** What reached a decision is on record already; what failed in us was not refused. */
export function isBeforeDeciding({ code, shown }: BrokerError): boolean {
  const [status] = PROBLEMS[code]
  return shown.decision === undefined && (status < 500 || code === 'unavailable')
}

/** 503: something that the answer needs is down. Nothing was issued. */
export function unavailable(input: UnavailableInput, cause?: unknown): BrokerError {
  return new BrokerError('unavailable', {
    cause,
    message: `unavailable: ${input}`,
    shown: {
      detail: `The ${input.replace('_', ' ')} cannot be reached`,
      evaluation: { status: 'not_evaluated', unavailableInput: input },
      retryAfterSeconds: 2,
    },
  })
}
