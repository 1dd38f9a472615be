/** Exit codes, and how an error is told on the way out. */
import { CannotDelegate, Refused, Unreachable } from '../client/errors.ts'
import { ConfigError } from '../config.ts'
import { isObject } from '../domain/json.ts'
import { plain, printer } from './print.ts'

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  pending: 4,
  ended: 5,
  unavailable: 6,
  proofFailed: 7,
} as const

/** An error whose message is meant for the person at the keyboard, with the exit code it deserves. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exit: number
  constructor(message: string, exit: number = EXIT.failed) {
    super(message)
    this.exit = exit
  }
}

/** Tells what went wrong and what would help; returns the exit code. */
export function report(error: unknown): number {
  if (error instanceof ConfigError) {
    for (const { key, problem, example } of error.mistakes) {
      printer.note(`config     ${key}: ${problem}\n           for instance ${example}`)
    }
    return EXIT.usage
  }
  if (error instanceof Refused) return reportRefusal(error)
  if (error instanceof CannotDelegate) return reportWider(error)
  if (error instanceof Unreachable) {
    printer.note(`error      ${error.message}\nfix        is it running? start it with: npm start`)
    return EXIT.unavailable
  }
  if (error instanceof CommandError) {
    printer.note(`error      ${error.message}`)
    return error.exit
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    printer.note(`error      ${error.message}\nfix        stop what has it, or set PROCURA_PORT`)
    return EXIT.usage
  }
  const { message, stack } = error instanceof Error ? error : new Error('unknown')
  printer.note(`error      ${message}`)
  if (process.stderr.isTTY) printer.note(stack ?? '')
  return EXIT.failed
}

/** What was found here, before anybody was asked. */
function reportWider({ message, outcome, field, fix }: CannotDelegate): number {
  printer.note(`refused    ${plain(message)}`)
  printer.note(`code       ${outcome}${field === null ? '' : ` ${plain(field)}`}`)
  printer.note(`fix        ${fix}`)
  return outcome === 'malformed' ? EXIT.usage : EXIT.denied
}

/** A refusal in the words of the API: what stopped it, at which hop, and what would help. */
export function reportRefusal({ status, code, problem, message }: Refused): number {
  const { fix, stopped_by: stoppedBy, decision_id: decision, request_id: request, errors } = problem
  printer.note((status === 403 ? 'denied' : 'refused').padEnd(11) + plain(message))
  const { outcome, field } = problem
  const finer = [outcome, field].filter((it) => typeof it === 'string').map(plain)
  printer.note(`code       ${[plain(code), ...finer].join(' ')}`)
  if (isObject(stoppedBy)) {
    const { kind, id, hop } = stoppedBy
    printer.note(
      `stopped    ${plain(kind)} ${plain(id)}${hop === null ? '' : ` at hop ${plain(hop)}`}`,
    )
  }
  if (Array.isArray(errors)) {
    for (const each of errors) {
      if (isObject(each))
        printer.note(`           ${plain(each['pointer'])} ${plain(each['rule'])}`)
    }
  }
  if (typeof fix === 'string') printer.note(`fix        ${plain(fix)}`)
  if (typeof decision === 'string') printer.note(`           ${plain(decision)}`)
  else if (typeof request === 'string') printer.note(`           request ${plain(request)}`)
  return exitOf(status, code)
}

function exitOf(status: number, code: string): number {
  if (status === 403) return EXIT.denied
  if (status === 410 || code === 'already_redeemed' || code === 'approval_consumed')
    return EXIT.ended
  if (status === 503 || status === 429 || status === 504 || status === 502) return EXIT.unavailable
  return status === 401 || status === 422 || status === 400 ? EXIT.usage : EXIT.failed
}
