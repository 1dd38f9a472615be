/** Whether a chain holds, looked at now and from its tokens: nothing that was stored of it is believed. */
import type { Pool } from 'pg'
import type { RootKeys } from '../chain/keys.ts'
import { readChain } from '../chain/reading.ts'
import { authorities } from '../chain/steps.ts'
import type { VerifiedHop } from '../chain/verified.ts'
import { verifyChain } from '../chain/verify.ts'
import { ask } from '../db/ask.ts'
import { stopsOf } from '../db/stops.ts'
import { type Consent, termsBody } from '../domain/consent.ts'
import { digestOf } from '../domain/digest.ts'
import { JwsError, readToken, type Signer } from '../domain/jws.ts'
import { delegatesIn, standingIn, type State, stateQuery, wantedOf } from './state.ts'

export interface ChecksOptions {
  readonly tenant: string
  readonly issuer: string
  /** Of the front. */
  readonly pool: Pool
  readonly rootKeys: RootKeys
  readonly isPurpose: (purpose: string) => boolean
  /** What `consent+jwt` is signed with. */
  readonly evidence: Signer
}

/** What came of it: an outcome of the verifier, at which hop, by which member. */
export interface Verification {
  readonly outcome: string
  readonly hop?: number | null
  readonly field?: string
  readonly at: Date
  readonly notPerformed: readonly string[]
}

/** What nobody can check who is not its holder, with a call in hand. */
const NOT_HERE = ['holder_binding', 'action'] as const

/** @param tokens root first; `null` where one is not kept any more */
export async function checkTokens(
  { tenant, pool, issuer, rootKeys, isPurpose }: ChecksOptions,
  tokens: readonly (string | null)[],
): Promise<Verification> {
  const missing = tokens.indexOf(null)
  const present = tokens.filter((token) => token !== null)
  const read = readChain(present)
  if (missing >= 0 || !read.ok) {
    const now = await timeIn(pool)
    const refused = missing >= 0 || read.ok ? { outcome: 'parent_unknown', hop: missing } : read
    const { outcome, hop } = refused
    return { outcome, hop, at: now, notPerformed: ['signatures', 'status', ...NOT_HERE] }
  }
  const [state] = await ask<State>(pool, stateQuery(tenant, wantedOf(read.tokens)))
  if (state === undefined) throw new Error('the database did not answer')
  const verified = verifyChain({
    ...{ tokens: present, issuer, rootKeys, now: state.now },
    purposes: { has: isPurpose },
    delegates: delegatesIn(state, read.tokens),
    standing: standingIn(state),
  })
  const common = { at: state.now, notPerformed: NOT_HERE }
  if (verified.ok) return { outcome: 'valid', ...common }
  const { outcome, hop, field } = verified
  return { outcome, hop, ...(field !== undefined && { field }), ...common }
}

/** The same for a moment that is over: signatures, narrowing and times, as a stranger could offline. */
export function checkAt(
  { issuer, rootKeys }: ChecksOptions,
  tokens: readonly (string | null)[],
  at: Date,
): Verification {
  const present = tokens.filter((token) => token !== null)
  const notPerformed = ['status', ...NOT_HERE]
  if (present.length < tokens.length) {
    const hop = tokens.indexOf(null)
    return { outcome: 'parent_unknown', hop, at, notPerformed: ['signatures', ...notPerformed] }
  }
  const verified = verifyChain({ tokens: present, issuer, rootKeys, now: at })
  if (verified.ok) return { outcome: 'valid', at, notPerformed }
  const { outcome, hop } = verified
  return { outcome, hop, at, notPerformed }
}

/** Where no token was handed on: whether what it rests on still stands. The agent and its run are hop 0. */
export async function checkStanding(
  { tenant, pool }: ChecksOptions,
  { id, sponsor, terms, status }: Consent,
  instance: string | null,
): Promise<Verification> {
  const [row] = await ask<{ now: Date; stopped: readonly string[] }>(pool, {
    name: 'chain_standing',
    text: `select clock_timestamp() as now,
             array(select stopped.id from ${stopsOf('$1', '$2::text[]')}) as stopped`,
    values: [tenant, [id, sponsor, terms.agent, instance].filter((it) => it !== null)],
  })
  if (row === undefined) throw new Error('the database did not answer')
  const common = { at: row.now, notPerformed: ['signatures', ...NOT_HERE] }
  const isStopped = (it: string | null) => it !== null && row.stopped.includes(it)
  // Of an agent that was retired its consents went with it: that is told at hop 0.
  const isGone = status === 'withdrawn' && !isStopped(terms.agent)
  if (isGone || isStopped(sponsor) || isStopped(id)) {
    return { outcome: 'revoked', hop: null, ...common }
  }
  const isHeld = isStopped(terms.agent) || isStopped(instance)
  if (isHeld) return { outcome: 'revoked', hop: 0, ...common }
  if (status === 'expired') return { outcome: 'expired', hop: null, ...common }
  return { outcome: 'valid', ...common }
}

export type Evidence = 'valid' | 'signature_invalid' | 'altered'

/** Whether the consent is the one that its sponsor's evidence was signed over. */
export function checkEvidence(
  { evidence }: ChecksOptions,
  consent: Consent,
  consentJwt: string,
): Evidence {
  try {
    const { claims } = readToken('consent', consentJwt, evidence, { now: consent.createdAt })
    const isSame =
      claims['jti'] === consent.id &&
      claims['sub'] === consent.sponsor &&
      claims['terms_hash'] === consent.termsHash &&
      digestOf(termsBody(consent.terms)) === consent.termsHash
    return isSame ? 'valid' : 'altered'
  } catch (error) {
    if (error instanceof JwsError) return 'signature_invalid'
    throw error
  }
}

/** What each token leaves, in its order; fewer where one cannot be read or is no narrower. */
export function leftAt(tokens: readonly (string | null)[]): readonly VerifiedHop[] {
  const present = tokens.filter((token) => token !== null)
  const read = present.length < tokens.length ? null : readChain(present)
  if (!read?.ok) return []
  const narrowed = authorities(read.tokens, false)
  return narrowed.ok ? narrowed.hops : []
}

async function timeIn(pool: Pool): Promise<Date> {
  const [row] = await ask<{ now: Date }>(pool, {
    name: 'chain_time',
    text: 'select clock_timestamp() as now',
  })
  if (row === undefined) throw new Error('the database did not answer')
  return row.now
}
