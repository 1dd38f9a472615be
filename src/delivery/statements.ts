/** One approved statement, start to finish: checked, spent, run by a login of its own, ended, on record. */
import { digestOf } from '../domain/digest.ts'
import { JsonError, readJson } from '../domain/json.ts'
import type { Intent } from '../domain/lease.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import { ExactPermissions, ExactSettings } from './connectors/postgres/exact.ts'
import { type Refused, type Rows, runStatement, TooLarge } from './connectors/postgres/statement.ts'
import { postgres } from './connectors/postgres.ts'
import { within } from './deadline.ts'
import type { Live } from './proxy/live.ts'
import type { LiveLease } from './proxy/live-lease.ts'
import type { Answer, Called, Caller, Calling } from './proxy/making.ts'
import type { Places } from './proxy/places.ts'
import { recordOutcome, spendOnCall } from './proxy/spending.ts'
import { watched } from './proxy/watched.ts'

/** The one address below a lease: what is posted to it are the arguments, as they were approved. */
const PATH = '/query'
const [LOGIN_MS, END_MS] = [6000, 5000]

export interface StatementsOptions extends Calling {
  /** As the trust file declares them, of whatever connector. */
  readonly targets: Readonly<Record<string, { readonly connector: string }>>
  readonly live: Live
  readonly places: Places
  /** The broker's own origin: what it marks its logins by. */
  readonly owner: string
}

export interface Statements {
  /**
   * @throws BrokerError `credential_gone`, `target_denied`, `args_mismatch` and `unavailable`, after
   *   which nothing is spent; `downstream_failed`, `downstream_timeout`
   */
  call(lease: LiveLease, by: Caller): Promise<Answer>
}

export function createStatements(options: StatementsOptions): Statements {
  const { places } = options
  const settings = settingsIn(options.targets)
  return {
    async call(lease, { instance, called, act }) {
      // What is it for?
      const found = foundFor(settings, lease)
      const isItsAddress = called.method === 'POST' && called.path === PATH && called.query === ''
      if (!isItsAddress) throw denied()

      // Are these the very arguments that were decided on? The statement is one of them.
      const statement = statementIn(called.body, found)

      // Spend it, once and on record, before anything is made. From here on it was used.
      const leave = places.enter(found.intent.target, found.settings.concurrency)
      try {
        await spendOnCall(options, instance, found.intent.lease, act)
        return await run({ options, called, act, statement, ...found })
      } finally {
        leave()
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

const denied = () => new BrokerError('target_denied', { shown: { reason: 'call' } })

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

/** However it goes, the login is ended before anything is answered; what cannot be, is found by its name. */
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
  let reason: string | null = null
  try {
    const made = await within(LOGIN_MS, (signal) =>
      logins.issue({ ...intent, expiresAt }, at, login, either(signal, call.signal)),
    )
    isSent = true
    return answered(await runStatement(made, settings, statement, call.signal))
  } catch (cause) {
    reason = call.cutBy() ?? (cause instanceof TooLarge ? 'too_large' : 'downstream_failed')
    throw failureOf(cause, reason)
  } finally {
    call.end()
    await within(END_MS, (signal) => logins.revoke(downstreamName, at, signal)).catch(
      (error: unknown) => trouble?.(error),
    )
    const observed = outcomeOf(isSent, reason)
    const upstream = observed === 'occurred' ? 'answered' : null
    await recordOutcome(options, intent, act, { observed, upstream, reason })
  }
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

function settingsIn(targets: StatementsOptions['targets']): ReadonlyMap<string, ExactSettings> {
  const exact = Object.entries(targets).filter(([, it]) => it.connector === 'postgres-exact')
  return new Map(
    exact.map(([name, { connector: _, ...settings }]) => [name, ExactSettings.parse(settings)]),
  )
}
