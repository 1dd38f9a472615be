/** Tokens that are kept between calls, for all brokers of a database: one of them asks, the others wait for its answer. */
import type { Pool } from 'pg'
import { BrokerError } from '../../domain/problems.ts'
import type { KeyStore } from '../key-store.ts'
import { createKeptRows, type For, type KeptRow } from './kept-row.ts'
import { opened, type Pair, refreshed, type Times, type Wanted } from './refreshing.ts'
import { NoToken } from './token-endpoint.ts'

/** A target that takes no token, whichever, does not make us ask for one each time. */
const YOUNG_MS = 60_000

export interface Keeping {
  readonly tenant: string
  readonly pool: Pick<Pool, 'query'>
  readonly keys: KeyStore
  /** Told what an operator should know. */
  readonly trouble?: ((error: unknown) => void) | undefined
  readonly times?: Times
}

export interface KeptToken extends Pair {
  readonly token: string
  /** The target does not take it: the next call gets another. Never throws. */
  readonly notTaken: () => Promise<void>
}

export interface KeptTokens {
  /**
   * That of the row, or the next one. What was asked for goes on when the signal fires: its answer is
   * everybody's.
   *
   * @throws BrokerError `credential_gone` when the lease does not stand, `downstream_failed` with
   *   `authorization_ended` when it turns out that an operator has to act; NoToken; the signal's reason
   */
  tokenFor(wanted: Wanted, signal: AbortSignal): Promise<KeptToken>
  /** Nothing is asked. @throws BrokerError `downstream_failed` with `authorization_over` when an operator has to act */
  check(of: For): Promise<void>
  /** Resolves when nothing is asked for any more, and what was answered is stored. */
  settled(): Promise<void>
}

export function createKeptTokens(options: Keeping): KeptTokens {
  const rows = createKeptRows(options.pool, options.tenant)
  const keeper = { ...options, rows }
  // By target: of one process, one asks or waits for another process, and the rest for that one.
  const turns = new Map<string, Promise<unknown>>()

  function turn(wanted: Wanted, row: KeptRow) {
    const own = refreshed(keeper, wanted, row)
    const over = own.then(nothing, nothing).finally(() => turns.delete(wanted.target))
    turns.set(wanted.target, over)
    return own
  }

  const keptOf = (of: For, pair: Whole, generation: number | null): KeptToken => ({
    ...pair,
    async notTaken() {
      if (generation === null) return
      await rows.drop(of, generation, YOUNG_MS).catch((error: unknown) => options.trouble?.(error))
    },
  })

  return {
    async tokenFor(wanted, signal) {
      let since: Date | null = null
      for (;;) {
        signal.throwIfAborted()
        // Under its own lease, whoever has asked.
        const row = await rows.read(wanted)
        since ??= row.now
        if (isOver(row, wanted)) throw authorizationOver('authorization_ended', wanted)
        const isUsable = row.is_usable === true && row.settings === wanted.settings
        const pair = isUsable ? await opened(keeper, wanted, row) : null
        if (isWhole(pair)) return keptOf(wanted, pair, row.generation)
        if (row.failed_at !== null && row.failed_at >= since) {
          throw new NoToken('the token endpoint gave none, to whom this one has waited for', 'none')
        }
        const others = turns.get(wanted.target)
        if (others === undefined) {
          const made = await orCut(turn(wanted, row), signal)
          if (made !== null) return keptOf(wanted, made.pair, made.generation)
        } else await orCut(others, signal)
      }
    },
    async check(of) {
      if (isOver(await rows.read(of), of)) throw authorizationOver('authorization_over', of)
    },
    async settled() {
      await Promise.all(turns.values())
    },
  }
}

type Whole = Pair & { readonly token: string }
const isWhole = (pair: Pair | null): pair is Whole => pair !== null && pair.token !== null

const isOver = ({ refused_for: refused }: KeptRow, { settings }: For) =>
  refused?.includes(settings) === true

/** Two reasons, for one thing: known before anything is spent, or found out by a call that is spent. */
const authorizationOver = (reason: 'authorization_over' | 'authorization_ended', { target }: For) =>
  new BrokerError('downstream_failed', {
    shown: {
      reason,
      detail: 'The authorization server does not take the refresh token of this target any more',
      fix: `Have an operator get a new one there, and store it: procura target secret ${target}`,
    },
  })

const nothing = () => undefined

function orCut<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const cut = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error('it was cut'))
    }
    signal.addEventListener('abort', cut, { once: true })
    if (signal.aborted) cut()
    const uncut = () => {
      signal.removeEventListener('abort', cut)
    }
    work.then(resolve, reject).finally(uncut).catch(nothing)
  })
}
