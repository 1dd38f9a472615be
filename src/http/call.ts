/** What the front knows of one call while it lasts. */
import type { Request, Response } from 'express'
import type { Face, Recognised } from '../domain/request.ts'

import type { Gates } from './places.ts'

/** Who a route is for; `either` is an agent or a person, told apart by what was presented. */
export type Door = 'agent' | 'person' | 'service' | 'either' | 'public'

export interface Call {
  readonly issuer: string
  readonly requestId: string
  /** `null` off the three faces. */
  readonly face: Face | null
  /** The route's pattern once one has matched. */
  route: string
  door: Door
  /** Where it comes from, as far as we know who told us; and what that is counted as. */
  address: string
  source: string
  /** Whoever was recognised: an id or a service's name. */
  caller: string | null
  body: Uint8Array
  /** What was refused, for the log. */
  code: string | null
  /** Why, where the caller is not told: one word, for the log alone. */
  reason: string | null
  /** Takes note of who calls. Throws `rate_limited` when that one asks for too much. */
  recognised: (caller: Recognised) => void
  /** Where it waits for its place; `null` on what is answered whatever goes on. */
  gates: Gates | null
  /** Gives up what it holds of the limits: when it is over, or for as long as it only waits. */
  release: () => void
}

const NOTHING = new Uint8Array()

export function callOf(res: Response): Call {
  return res.locals['call'] as Call
}

export function begin(res: Response, call: Pick<Call, 'issuer' | 'requestId' | 'face'>): void {
  res.locals['call'] = {
    ...call,
    ...{ route: 'none', door: 'public', caller: null, code: null, reason: null },
    ...{ body: NOTHING, address: '', source: '', recognised: () => undefined },
    ...{ gates: null, release: () => undefined },
  } satisfies Call
}

/** Path as received, without the query. */
export function pathOf(req: Request): string {
  const [path = ''] = req.originalUrl.split('?', 1)
  return path
}

/** Whether the answer goes to an agent: by the route, or by what it presented. */
export function isToAgent(req: Request, res: Response): boolean {
  const { door, route } = callOf(res)
  if (door === 'agent' || route === '/oauth/token') return true
  return (door === 'either' || route === 'none') && presentsSession(req)
}

/** Whether the caller wants to be an agent here. It still has to prove it. */
export function presentsSession(req: Request): boolean {
  return /^dpop /i.test(req.headers.authorization ?? '') || req.headers['dpop'] !== undefined
}
