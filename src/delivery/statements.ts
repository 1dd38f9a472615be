/** One approved statement, start to finish: checked, spent, run by a login of its own, ended, on record. */
import { digestOf } from '../domain/digest.ts'
import { JsonError, readJson } from '../domain/json.ts'
import type { Intent } from '../domain/lease.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import { ExactPermissions, ExactSettings } from './connectors/postgres/exact.ts'
import { type Refused, type Rows, runStatement, TooLarge } from './connectors/postgres/statement.ts'
import { postgres } from './connectors/postgres.ts'
import { NoEffect, PartlyRevoked } from './connector.ts'
import { isTimeout, within } from './deadline.ts'
import type { Live } from './proxy/live.ts'
import type { LiveLease } from './proxy/live-lease.ts'
import type { Answer, Called, Caller, Calling } from './proxy/making.ts'
import type { Places } from './proxy/places.ts'
import { checkSecret, recordOutcome, spendOnCall } from './proxy/spending.ts'
import { checkThere, type Declared, denied, settingsIn } from './proxy/target.ts'
import { watched } from './proxy/watched.ts'

/** The one address below a lease: what is posted to it are the arguments, as they were approved. */
const PATH = '/query'
const [LOGIN_MS, END_MS] = [6000, 5000]

export interface StatementsOptions extends Calling {
  readonly targets: Declared
  readonly live: Live
  readonly places: Places
  /** The broker's own origin: what it marks its logins by. */
  readonly owner: string
}

export interface Statements {
  /**
   * @throws BrokerError `credential_gone`, `target_denied`, `args_mismatch` and `unavailable`, after
   *   which nothing is spent, as it is not after `downstream_failed` with `no_secret`;
   *   `downstream_failed`, `downstream_timeout`
   */
  call(lease: LiveLease, by: Caller): Promise<Answer>
}

export function createStatements(options: StatementsOptions): Statements {
  const { places } = options
  const settings = settingsIn(options.targets, 'postgres-exact', ExactSettings)
  return {
    async call(lease, { instance, called, act }) {
      // What is it for?
      const found = foundFor(settings, lease)
      const isItsAddress = called.method === 'POST' && called.path === PATH && called.query === ''
      if (!isItsAddress) throw denied()

      // Are these the very arguments that were decided on? The statement is one of them.
      const statement = statementIn(called.body, found)
      await checkSecret(options.secrets, found.intent)

      // Is it its turn? Nobody who left meanwhile spends anything.
      checkThere(called)
      const turn = await places.enter(found.intent, called.left)

      // Spend it, once and on record, before anything is made. From here on it was used.
      try {
        checkThere(called)
        await spendOnCall(options, instance, found.intent.lease, act)
        return await run({ options, called, act, statement, ...found })
      } finally {
        turn.end()
      }
    },
  }
}

interface Found {
  readonly intent: Intent
  readonly settings: ExactSettings
  readonly permissions: ExactPermissions
}

/** @throws BrokerError `target_denied` where the target is not that any more */
function foundFor(targets: ReadonlyMap<string, ExactSettings>, { intent }: LiveLease): Found {
  const settings = targets.get(intent.target)
  const permissions = ExactPermissions.safeParse(intent.permissions)
  if (settings === undefined || !permissions.success) throw denied()
  return { intent, settings, permissions: permissions.data }
}

/** @throws BrokerError `args_mismatch` */
function statementIn(body: Uint8Array, { intent, permissions }: Found): string {
  const sent = readBody(body)
  const statement = sent[permissions.statement]
  const isApproved = digestOf(sent) === intent.argsHash
  if (!isApproved || typeof statement !== 'string') throw new BrokerError('args_mismatch')
  return statement
}

function readBody(body: Uint8Array) {
  try {
    return readJson(body)
  } catch (error) {
    if (error instanceof JsonError) throw new BrokerError('args_mismatch', { cause: error })
    throw error
  }
}

interface Running extends Found {
  readonly options: StatementsOptions
  readonly called: Called
  readonly act: Act
  readonly statement: string
}

/** However it goes, the login is ended before anything is answered; one that stays is on record. */
async function run({ options, called, act, statement, ...found }: Running): Promise<Answer> {
  const { secrets, owner, live, trouble } = options
  const { intent, settings, permissions } = found
  const { downstreamName, target, expiresAt } = intent
  const logins = postgres({ secrets, owner })
  const at = { name: target, settings, lease: downstreamName }
  const { statement: _, ...login } = permissions
  const totalMs = LOGIN_MS + permissions.statement_timeout_ms
  const call = watched(live, {
    ...{ lease: intent.lease, left: called.left, headMs: totalMs, totalMs },
  })
  let isSent = false
  let isMade = true
  let reason: string | null = null
  try {
    const made = await within(LOGIN_MS, (signal) =>
      logins.issue({ ...intent, expiresAt }, at, login, either(signal, call.signal)),
    )
    isSent = true
    return answered(await runStatement(made, settings, statement, call.signal))
  } catch (cause) {
    isMade = !(cause instanceof NoEffect)
    reason = call.cutBy() ?? reasonOf(cause)
    throw failureOf(cause, reason)
  } finally {
    call.end()
    const end = () => within(END_MS, (signal) => logins.revoke(downstreamName, at, signal))
    const isLeft = isMade && !(await isEnded(end, trouble))
    const observed = outcomeOf(isSent, reason)
    const upstream = observed === 'occurred' ? 'answered' : null
    const told = isLeft ? 'login_left' : reason
    await recordOutcome(options, intent, act, { observed, upstream, reason: told })
  }
}

/** Tried twice, unless it is an operator's to do. */
async function isEnded(
  end: () => Promise<unknown>,
  trouble: StatementsOptions['trouble'],
  isAgain = false,
): Promise<boolean> {
  try {
    await end()
    return true
  } catch (error) {
    trouble?.(error)
    if (isAgain || error instanceof PartlyRevoked) return false
    return await isEnded(end, trouble, true)
  }
}

function reasonOf(cause: unknown): string {
  if (cause instanceof TooLarge) return 'too_large'
  const isLate = isTimeout(cause) || (cause instanceof NoEffect && cause.isTimeout)
  return isLate ? 'downstream_timeout' : 'downstream_failed'
}

const either = (one: AbortSignal, other: AbortSignal) => AbortSignal.any([one, other])

function outcomeOf(isSent: boolean, reason: string | null) {
  if (!isSent) return 'none'
  return reason === null || reason === 'too_large' ? 'occurred' : 'unknown'
}

/** What the server refused is an answer as well: the statement is its sender's own. */
function answered(outcome: Rows | Refused): Answer {
  const isRefused = 'sqlstate' in outcome
  const body = isRefused
    ? outcome
    : {
        ...{ command: outcome.command, row_count: outcome.rowCount },
        ...{ columns: outcome.columns, rows: outcome.rows },
      }
  return {
    status: isRefused ? 422 : 200,
    headers: [['Content-Type', 'application/json']],
    first: Buffer.from(JSON.stringify(body)),
    more: null,
    over: Promise.resolve(),
  }
}

/** The cause stays with us: it may be a target's words. */
function failureOf(cause: unknown, reason: string): BrokerError {
  if (reason === 'revoked') return new BrokerError('credential_gone', { cause })
  if (reason === 'downstream_timeout') return new BrokerError('downstream_timeout', { cause })
  return new BrokerError('downstream_failed', { cause, shown: { reason } })
}
