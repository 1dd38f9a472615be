/** Refusals on /oauth/* (RFC 6749 §5.2), with our finer code beside the registered one. */
import type { Response } from 'express'
import { PROBLEMS, type ProblemCode, type Shown } from '../domain/problems.ts'
import { callOf } from './call.ts'
import { OAUTH_CODES } from './oauth-codes.ts'

/** Answers with an OAuth error. `code` equals `error` where there is nothing finer to say. */
export function sendOAuthError(res: Response, row: ProblemCode, shown: Shown): void {
  const { issuer, requestId } = callOf(res)
  const [rowStatus, title, registered] = PROBLEMS[row]
  const error = shown.oauth?.error ?? registered ?? fallback(rowStatus)
  const code = shown.oauth?.code ?? row
  const { outcome, hop, field } = shown
  const body = {
    ...{ error, error_description: ascii(shown.detail ?? titleOf(code) ?? title) },
    ...{ error_uri: `${issuer}/problems/${code}`, code, request_id: requestId },
    ...{ outcome, hop, field },
  }
  res.status(statusOf(error, rowStatus)).json(body)
}

const titleOf = (code: string) =>
  Object.hasOwn(OAUTH_CODES, code) ? OAUTH_CODES[code as keyof typeof OAUTH_CODES][0] : undefined

const fallback = (status: number) => (status < 500 ? 'invalid_request' : 'server_error')

function statusOf(error: string, rowStatus: number): number {
  switch (error) {
    case 'invalid_client':
      return 401
    case 'access_denied':
      return 403
    case 'server_error':
      return 500
    case 'temporarily_unavailable':
      return rowStatus === 429 ? 429 : 503
    default:
      return TRANSPORT.has(rowStatus) ? rowStatus : 400
  }
}

const TRANSPORT: ReadonlySet<number> = new Set([404, 405, 413, 414, 415, 431])

/** RFC 6749 §5.2 allows printable ASCII but `"` and `\`. */
const ascii = (text: string) => text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "'")
