/** Handing on: less than what is held, to one run of another agent, signed here and by nobody else. */
import { randomUUID } from 'node:crypto'
import type { Refusal } from '../chain/outcome.ts'
import { heldBy, type Held } from '../chain/sign.ts'
import type { ChainAuthority, Narrowing } from '../domain/authority.ts'
import type { Constraint } from '../domain/constraint.ts'
import { readConstraints, readScopes } from '../domain/constraint-reading.ts'
import { type Dropped, droppedBetween } from '../domain/dropped.ts'
import { isId } from '../domain/ids.ts'
import type { Json } from '../domain/json.ts'
import { CannotDelegate } from './errors.ts'
import type { Key } from './key.ts'
import { widerPhrase } from './phrases.ts'

export interface DelegationAsk {
  /** The agent, and the key (its thumbprint, `client.jkt` over there) of the run that is to use it. */
  readonly to: { readonly agent: string; readonly jkt: string }
  /** Names, or `a.b.*`. What is absent, here and below, is as this client has it. */
  readonly tools?: readonly string[]
  /** Further bounds, or tighter ones: `{ key: 'facts.tables', subset_of: ['public.orders'] }`. */
  readonly where?: readonly Constraint[]
  /** Calls in all, those of whoever it hands on to included. */
  readonly calls?: number
  /** How long it lasts, in seconds: ten minutes unless said, and never past what it rests on. */
  readonly ttl?: number
  /** How long one credential lasts at most, in seconds. */
  readonly credentialTtl?: number
  readonly purpose?: string
  /** How many hops may follow it. */
  readonly hops?: number
}

/** What was handed on. */
export interface Handed {
  /** For the delegate, as it is. Useless without the key that it names. */
  readonly chain: string
  /** `dlg_…`: what it is called on record, and what stopping it takes. */
  readonly id: string
  readonly depth: number
  /** What the delegate may do. */
  readonly effective: ChainAuthority
  /** What this client may do, and the delegate not. */
  readonly dropped: Dropped
  readonly expiresAt: Date
}

/** What may be handed on, at the most. */
export interface Holding {
  /** 0: straight under a consent. */
  readonly depth: number
  readonly effective: ChainAuthority
  readonly expiresAt: Date
}

export type Hop = Omit<Handed, 'id'> & { readonly token: string }

const SECONDS = 600

/**
 * Signs a hop below the last of these tokens. Nobody is asked.
 *
 * @param now milliseconds since 1970
 * @throws CannotDelegate naming the member that is wider than what is held
 */
export function signHop(tokens: readonly string[], key: Key, ask: DelegationAsk, now: number): Hop {
  const parent = heldIn(tokens)
  const authority = narrowingOf(ask, parent)
  if (!isId('agt', ask.to.agent)) throw wrong('to.agent', 'is not the id of an agent: agt_…')
  const iat = Math.floor(now / 1000)
  const asked = ask.ttl === undefined ? null : iat + ask.ttl
  const made = key.hop({
    ...{ parent, authority, iat, jti: randomUUID() },
    delegate: { clientId: ask.to.agent, jkt: ask.to.jkt },
    exp: asked ?? Math.min(iat + SECONDS, parent.exp),
  })
  if (!made.ok) throw refused(made, parent, authority)
  const { token, effective } = made
  return {
    ...{ token, chain: [...tokens, token].join('~'), depth: parent.depth + 1, effective },
    dropped: droppedBetween(parent.effective, effective),
    expiresAt: new Date((asked ?? Math.min(iat + SECONDS, parent.exp)) * 1000),
  }
}

/** @throws CannotDelegate when these are not a whole chain */
export function holdingOf(tokens: readonly string[]): Holding {
  const { depth, effective, exp } = heldIn(tokens)
  return { depth, effective, expiresAt: new Date(exp * 1000) }
}

function heldIn(tokens: readonly string[]): Held {
  const read = heldBy(tokens)
  if (read.ok) return read.held
  const fix = 'Use the chain as it was handed over: every token of it, root first'
  throw new CannotDelegate(read.outcome, { detail: read.detail, fix })
}

function narrowingOf(ask: DelegationAsk, parent: Held): Narrowing {
  const { tools, where = [], calls, credentialTtl, purpose, hops } = ask
  const bounds = [
    ...where,
    ...(calls === undefined ? [] : [{ key: 'calls', max_subtree: calls }]),
    ...(credentialTtl === undefined ? [] : [{ key: 'ttl_seconds', max: credentialTtl }]),
  ]
  const constraints = readConstraints(bounds as unknown as Json)
  if (!constraints.ok) throw wrong(`where${constraints.pointer}`, constraints.rule)
  const scopes = tools === undefined ? null : readScopes([...tools])
  if (scopes?.ok === false) throw wrong(`tools${scopes.pointer}`, scopes.rule)
  return {
    ...{ scopes: scopes?.value, purpose, constraints: constraints.value },
    delMaxDepth: hops === undefined ? undefined : parent.depth + 2 + hops,
  }
}

const wrong = (field: string, rule: string) =>
  new CannotDelegate('malformed', { field, detail: `${field} ${rule}`, fix: 'Write it otherwise' })

/** What was to be wider, in the words of whoever asked for it, and what would do. */
function refused(made: Refusal, { effective }: Held, wanted: Narrowing): CannotDelegate {
  const { outcome, field } = made
  switch (outcome) {
    case 'not_narrower':
      return new CannotDelegate(outcome, {
        ...(field !== undefined && { field }),
        detail: field === 'del_max_depth' ? 'It may not be handed on that often' : '',
        ...(field !== undefined &&
          field !== 'del_max_depth' && { detail: widerPhrase(effective, wanted, field) }),
        fix: 'Ask for less, or have whoever stands above hand on more',
      })
    case 'depth_invalid': {
      const detail = `The chain may have ${String(effective.delMaxDepth)} tokens, and has them`
      return new CannotDelegate(outcome, { detail, fix: 'Have whoever stands above hand it on' })
    }
    case 'expired':
      return new CannotDelegate(outcome, {
        ...(field !== undefined && { field }),
        detail: 'It would last longer than what it rests on',
        fix: 'Ask for a shorter time, or for none',
      })
    default:
      return new CannotDelegate(outcome, { detail: made.detail, fix: 'Write it otherwise' })
  }
}
