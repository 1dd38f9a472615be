/** How long a call may go on: until its lease falls, its caller leaves, or its time is over. */
import type { CredentialId } from '../../domain/ids.ts'
import type { Live } from './live.ts'

export type Cut = 'revoked' | 'caller_left' | 'downstream_timeout'

export interface Watched {
  readonly signal: AbortSignal
  /** Who cut it; `null`: nobody did. */
  readonly cutBy: () => Cut | null
  readonly headIsThere: () => void
  readonly end: () => void
}

export interface Watching {
  readonly lease: CredentialId
  readonly left: AbortSignal
  /** Until the head of the answer; until the end of it. */
  readonly headMs: number
  readonly totalMs: number
}

export function watched(live: Live, { lease, left, headMs, totalMs }: Watching): Watched {
  const controller = new AbortController()
  let by: Cut | null = null
  const cut = (who: Cut) => () => {
    by ??= who
    controller.abort(new Error(who))
  }
  const unwatch = live.watch(lease, cut('revoked'))
  const leave = cut('caller_left')
  left.addEventListener('abort', leave, { once: true })
  if (left.aborted) leave()
  const head = setTimeout(cut('downstream_timeout'), headMs)
  const total = setTimeout(cut('downstream_timeout'), totalMs)
  return {
    signal: controller.signal,
    cutBy: () => by,
    headIsThere: () => {
      clearTimeout(head)
    },
    end: () => {
      unwatch()
      left.removeEventListener('abort', leave)
      clearTimeout(head)
      clearTimeout(total)
    },
  }
}
