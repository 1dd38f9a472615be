/** A call that is spent: the secret goes in, it is sent, and its answer is looked through on the way back. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { queryOf } from '../../domain/http-path.ts'
import type { Clock } from '../../domain/clock.ts'
import type { CredentialId } from '../../domain/ids.ts'
import type { ProvenInstance } from '../../domain/instance.ts'
import { canonical, type JsonObject } from '../../domain/json.ts'
import type { Intent } from '../../domain/lease.ts'
import { BrokerError, type ProblemCode } from '../../domain/problems.ts'
import type { Act } from '../../domain/request.ts'
import type { Grant, Permissions, Settings } from '../connectors/http/settings.ts'
import type { Secrets } from '../seal.ts'
import { begun, type Begun, type Head, headOf, lookedThrough, Withheld } from './answer.ts'
import { type Outgoing, type Progress, send } from './call.ts'
import { requestHeaders } from './headers.ts'
import { injected, type Injected } from './inject.ts'
import type { Live } from './live.ts'
import type { PresentedCall } from './matching.ts'
import type { Pinned } from './resolve.ts'
import type { ToSign } from './sigv4.ts'
import { recordOutcome, type Recording } from './spending.ts'
import type { TokenEndpoint } from './token-endpoint.ts'
import type { Tokens } from './tokens.ts'
import { type Cut, watched, type Watched } from './watched.ts'

export interface Making extends Recording {
  readonly secrets: Secrets
}

export interface Calling extends Making {
  readonly clock: Clock
}

export interface Called extends PresentedCall {
  readonly lease: CredentialId
  readonly headers: IncomingHttpHeaders
  /** Fires when the caller has left. */
  readonly left: AbortSignal
}

/** Who makes a call, and which. */
export interface Caller {
  readonly instance: ProvenInstance
  readonly called: Called
  readonly act: Act
}

/** The target's own answer, as far as it is passed on. */
export interface Answer extends Head, Begun {
  /** Resolves when nothing goes on any more and what came of it is on record. */
  readonly over: Promise<void>
}

/** A lease, and what it is for. */
export interface Found {
  readonly intent: Intent
  readonly settings: Settings
  readonly permissions: Permissions
  /** How long the lease lasts. */
  readonly leftMs: number
}

export interface Under extends Found {
  readonly options: Calling & { readonly tokens: Tokens }
  readonly live: Live
  readonly leave: () => void
  readonly act: Act
  readonly called: Called
}

export interface To {
  readonly base: URL
  readonly pinned: Pinned
  /** Where a token is asked for first; `null` where none is. */
  readonly tokenEndpoint: (() => Promise<TokenEndpoint>) | null
  readonly body: JsonObject | null
}

/** The lease ended before its call was sent. */
class Expired extends Error {
  override readonly name = 'Expired'
}

/** The call itself. However it goes, it ends: what it held is let go, and what came of it is recorded. */
export async function made(under: Under, to: To): Promise<Answer> {
  const { options, settings, intent } = under
  const call = watched(under.live, {
    ...{ lease: intent.lease, left: under.called.left, headMs: settings.timeout_ms },
    totalMs: Math.min(settings.total_ms, under.leftMs + settings.timeout_ms),
  })
  const progress: Progress = { isSent: false }
  let upstream: IncomingMessage | null = null
  let injection: Injected | null = null
  const finish = async (reason: string | null) => {
    call.end()
    injection?.scanner.wipe()
    under.leave()
    await recordOutcome(options, intent, under.act, {
      observed: observedOf(upstream, progress.isSent),
      upstream: upstream === null ? null : classOf(upstream),
      reason,
    })
  }
  try {
    const plain = plainOf(under, to)
    const tokenFor = asking(under, to, call.signal)
    const injecting = { request: plain, now: options.clock(), tokenFor }
    // The secret is opened for one call, and goes in last.
    injection = await options.secrets.use(
      intent.target,
      (secret) => injected(settings.inject, secret, injecting),
      intent.downstreamName,
    )
    // To get a token took its time: nothing is sent for a lease that has ended.
    if (options.clock() >= intent.expiresAt) throw new Expired()
    upstream = await send(outgoingOf(under, to, plain, injection), progress, call.signal)
    call.headIsThere()
    // It may have been withdrawn. This call had its turn; the next one gets another.
    if (upstream.statusCode === 401) await injection.notTaken?.()
    const head = headOf(upstream, settings, injection.scanner)
    const answer = await begun(lookedThrough(upstream, settings, injection.scanner))
    return { ...head, ...goingOn(answer, { call, upstream, finish }) }
  } catch (cause) {
    upstream?.destroy()
    const reason = reasonOf(cause, call.cutBy())
    await finish(reason)
    throw failureOf(cause, reason)
  }
}

/** A token for this call, in place of the secret. */
function asking({ options, intent }: Under, { tokenEndpoint }: To, signal: AbortSignal) {
  return async (grant: Grant, secret: string) => {
    if (tokenEndpoint === null) throw new TypeError('nobody to ask for a token')
    return await options.tokens.tokenFor({ grant, intent, secret, endpoint: tokenEndpoint, signal })
  }
}

/** What is passed on while it comes; `over` when the last of it has. */
function goingOn(
  { first, more }: Begun,
  {
    call,
    upstream,
    finish,
  }: {
    readonly call: Watched
    readonly upstream: IncomingMessage
    readonly finish: (reason: string | null) => Promise<void>
  },
): Begun & Pick<Answer, 'over'> {
  if (more === null) {
    upstream.destroy()
    return { first, more, over: finish(null) }
  }
  let isOver: (reason: string | null) => void = () => undefined
  const ended = new Promise<string | null>((resolve) => {
    isOver = resolve
  })
  // Nobody may ever ask for more of it: then it is over when its connection is.
  const closed = () => {
    // Whoever reads it may have found out why, and is asked first.
    setImmediate(() => {
      isOver(call.cutBy() ?? (upstream.complete ? null : 'downstream_failed'))
    })
  }
  if (upstream.closed) closed()
  else upstream.once('close', closed)
  async function* passed(rest: AsyncIterable<Uint8Array>) {
    try {
      yield* rest
    } catch (cause) {
      isOver(reasonOf(cause, call.cutBy()))
      throw cause
    } finally {
      upstream.destroy()
    }
  }
  return { first, more: passed(more), over: ended.then(finish) }
}

/** All that is sent but the secret, written from what was decided. */
function plainOf({ permissions, called }: Under, { base, body: value }: To): ToSign {
  const { method, headers: declared } = permissions
  const body = value === null ? null : canonical(value)
  const sent = { host: base.host, declared, presented: called.headers, body }
  const path = base.pathname.replace(/\/$/, '') + permissions.path
  return { method, path, query: queryOf(permissions.query), headers: requestHeaders(sent), body }
}

function outgoingOf(
  { settings }: Under,
  { base, pinned }: To,
  plain: ToSign,
  injection: Injected,
): Outgoing {
  const query = [plain.query, injection.query].filter((it) => it !== null && it !== '').join('&')
  const target = query === '' ? plain.path : `${plain.path}?${query}`
  const headers = { ...plain.headers, ...injection.headers }
  const { method, body } = plain
  return { base, pinned, ca: settings.ca, method, target, headers, body }
}

function reasonOf(cause: unknown, cut: Cut | null): string {
  if (cut !== null) return cut
  if (cause instanceof Expired) return 'expired'
  if (cause instanceof BrokerError && cause.code === 'credential_gone') return 'revoked'
  return cause instanceof Withheld ? cause.reason : 'downstream_failed'
}

/** What a call can end as once it is spent: any other code would say that it is not. */
const SPENT = new Set<ProblemCode>(['credential_gone', 'downstream_failed', 'downstream_timeout'])

/** The cause stays with us: it may be a target's words. */
function failureOf(cause: unknown, reason: string): BrokerError {
  if (cause instanceof BrokerError && SPENT.has(cause.code)) return cause
  if (reason === 'revoked' || reason === 'expired')
    return new BrokerError('credential_gone', { cause })
  const shown = { reason }
  if (reason === 'downstream_timeout') return new BrokerError('downstream_timeout', { cause })
  return new BrokerError('downstream_failed', { cause, shown })
}

function observedOf(upstream: IncomingMessage | null, isSent: boolean) {
  if (upstream !== null) return 'occurred'
  return isSent ? 'unknown' : 'none'
}

const classOf = ({ statusCode = 0 }: IncomingMessage) => `${String(Math.floor(statusCode / 100))}xx`
