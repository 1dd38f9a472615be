/** Refusals: RFC 9457 on native routes, OAuth's own form on /oauth/*, both from one row. */
import type { ErrorRequestHandler, Request, Response } from 'express'
import {
  BrokerError,
  isBeforeDeciding,
  PROBLEMS,
  type ProblemCode,
  type Shown,
} from '../domain/problems.ts'
import { callOf, isToAgent, presentsSession } from './call.ts'
import type { BaseFront } from './front.ts'
import { sendOAuthError } from './oauth-error.ts'

const ALGORITHMS = 'ES256 Ed25519 EdDSA'

/** Answers with a problem. Nothing leaves but the code's row and the members named here. */
export function sendProblem(
  req: Request,
  res: Response,
  code: ProblemCode,
  shown: Shown = {},
): void {
  const { face, issuer, requestId } = callOf(res)
  setHeaders(req, res, code, shown)
  if (face === 'oauth') {
    sendOAuthError(res, code, shown)
    return
  }
  // AuthZEN 1.0 has one status for every way to be malformed.
  const [usual, title, , fix, hint] = PROBLEMS[code]
  const status = shown.isUnreadable ? 400 : usual
  const { reason, decision, stoppedBy, outcome, hop, field, budget, errors, evaluation } = shown
  const problem = {
    type: `${issuer}/problems/${code}`,
    ...{ title, status, detail: shown.detail ?? title, fix: shown.fix ?? fix },
    agent_hint: isToAgent(req, res) ? hint : undefined,
    ...{ instance: `urn:procura:request:${requestId}`, request_id: requestId },
    ...{ code, reason, decision_id: decision, outcome, hop, field },
    stopped_by: stoppedBy && { hop: stoppedBy.hop, kind: stoppedBy.kind, id: stoppedBy.id },
    budget: budget && {
      ...{ account: budget.account, key: budget.key, type: budget.type },
      ...{ limit: budget.limit, used: budget.used, asked: budget.asked },
    },
    evaluation: evaluation && evaluationBody(evaluation),
    errors: errors?.map(({ pointer, rule }) => ({ pointer, rule })),
  }
  res.status(status).type('application/problem+json').send(JSON.stringify(problem))
}

export function evaluationBody({ status, unavailableInput }: NonNullable<Shown['evaluation']>) {
  return { status, unavailable_input: unavailableInput }
}

function setHeaders(req: Request, res: Response, code: ProblemCode, shown: Shown): void {
  const [status] = PROBLEMS[code]
  callOf(res).code = shown.oauth?.code ?? code
  res.set('Cache-Control', 'no-store')
  if (shown.allow !== undefined) res.set('Allow', shown.allow)
  const wait = shown.retryAfterSeconds ?? WAITS[code]
  if (wait !== undefined) res.set('Retry-After', String(wait))
  if (status === 401) res.set('WWW-Authenticate', challenge(req, res, code))
}

/** RFC 9449 §7.1, RFC 9728 §5.1, RFC 6750 §3: how to do it right, for whoever this route is for. */
function challenge(req: Request, res: Response, code: ProblemCode): string {
  const { door, face, issuer } = callOf(res)
  if (code === 'step_up_required') return 'Bearer error="insufficient_user_authentication"'
  const isDpop = isToAgent(req, res) || (face === 'native' && presentsSession(req))
  if (!isDpop && face !== 'oauth') {
    const bearer = `Bearer error="${code}"`
    return door === 'either' ? `${dpopChallenge(issuer, code)}, ${bearer}` : bearer
  }
  return face === 'oauth'
    ? `DPoP error="${code}", algs="${ALGORITHMS}"`
    : dpopChallenge(issuer, code)
}

function dpopChallenge(issuer: string, code: string): string {
  const metadata = `${issuer}/.well-known/oauth-protected-resource`
  return `DPoP error="${code}", algs="${ALGORITHMS}", resource_metadata="${metadata}"`
}

const WAITS: Partial<Record<ProblemCode, number>> = {
  idempotency_in_flight: 1,
  not_yet_checkpointed: 1,
  rate_limited: 1,
  unavailable: 2,
}

/** The last handler. What nobody foresaw is `internal_error`, and says nothing more. */
export function renderError(front: BaseFront): ErrorRequestHandler {
  const { log, meter } = front
  return (thrown: unknown, req: Request, res: Response, _next) => {
    const error = thrown instanceof BrokerError ? thrown : new BrokerError('internal_error')
    const { requestId, face, caller } = callOf(res)
    if (isSurprise(error)) {
      log.error({ request_id: requestId, code: error.code, cause: nameOf(thrown) }, 'failed')
    }
    if (res.headersSent) {
      res.destroy()
      return
    }
    callOf(res).reason = reasonOf(error)
    sendProblem(req, res, error.code, error.shown)
    if (!isBeforeDeciding(error)) return
    const code = error.shown.oauth?.code ?? error.code
    meter.count('procura_refusals_total', { code: error.code })
    if (face !== null && !error.isCounted) front.refused(face, code, caller)
  }
}

/** The finer cause, where there is one and it is one of our own words. */
function reasonOf({ code, message, shown }: BrokerError): string | null {
  const isFiner = message !== code && message !== shown.oauth?.code
  return isFiner && /^[a-z][a-z0-9_]{0,39}$/.test(message) ? message : null
}

const isSurprise = ({ code }: BrokerError) => PROBLEMS[code][0] >= 500

/** Name and code of what went wrong first. Messages of drivers and targets can hold anything. */
function nameOf(error: unknown): string {
  let cause = error
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause
  if (!(cause instanceof Error)) return typeof cause
  return 'code' in cause && typeof cause.code === 'string'
    ? `${cause.name} ${cause.code}`
    : cause.name
}
