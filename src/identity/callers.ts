/** Agents that call: the session that they show, and the DPoP proof over what they send. */
import { createCache } from '../domain/cache.ts'
import type { Clock } from '../domain/clock.ts'
import { sha256 } from '../domain/digest.ts'
import { ProvenInstance, type Session } from '../domain/instance.ts'
import { JwsError, readToken, type Signer } from '../domain/jws.ts'
import type { Deciding } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Presented } from '../domain/request.ts'
import { checkProof, type CheckedProof, refused, useUp } from './dpop.ts'
import type { Nonces } from './nonce.ts'
import { credentialsIn, refusing } from './refusals.ts'
import type { ReplayStore } from './replay.ts'
import { readSession } from './session-claims.ts'
import { MAX_BYTES } from './third-party.ts'

const SESSIONS_KEPT = 4000

export interface CallersOptions {
  /** The broker's own issuer: an origin. */
  readonly issuer: string
  readonly clock: Clock
  readonly nonces: Nonces
  readonly replay: ReplayStore
  /** The keys of sessions. */
  readonly signer: Signer
}

export interface Callers extends Pick<Deciding['identity'], 'authenticateWith'> {
  /** Whoever shows a session, and a proof over what they send that nobody has shown before. */
  authenticate(presented: Presented): Promise<ProvenInstance>
  /** By a proof alone, for whoever has no session yet. @returns the thumbprint of its key */
  prove(presented: Presented): Promise<string>
  /** What a live session of ours says; `null` for every other text. */
  sessionIn(token: string): Session | null
}

export function createCallers({ issuer, clock, nonces, replay, signer }: CallersOptions): Callers {
  const sessionOf = createSessionReader(signer, clock)

  function proofOf(presented: Presented, session: Parameters<typeof checkProof>[1]['session']) {
    const { method, path, body, dpop, face } = presented
    const about = { method, url: issuer + path, session, body, isBodyBound: face !== 'oauth' }
    return checkProof(dpop, { ...about, nonces, now: clock() })
  }

  /** A session, and a proof for it that is not used up yet. */
  async function shownBy(presented: Presented): Promise<{ session: Session; proof: CheckedProof }> {
    const token = sessionTokenIn(presented)
    const { session, jkt } = await refusing('invalid_token', () => sessionOf(token))
    return { session, proof: proofOf(presented, { token, jkt }) }
  }

  /** Uses the proof up, whatever comes of the request. */
  async function proven(
    presented: Presented,
    { session, proof }: Awaited<ReturnType<typeof shownBy>>,
  ): Promise<ProvenInstance> {
    await useUp(replay, proof)
    const { agent: id, sponsor } = session
    presented.recognised?.({ kind: 'agent', id, sponsor })
    return ProvenInstance.proven(session, proof.jkt)
  }

  return {
    authenticate: async (presented) => await proven(presented, await shownBy(presented)),
    async authenticateWith(presented, read) {
      const shown = await shownBy(presented)
      const reading = read(shown)
      // Both are over before anybody is answered: what is read has its place among what is served.
      const [used] = await Promise.allSettled([proven(presented, shown), reading])
      if (used.status === 'rejected') throw used.reason
      return { instance: used.value, reading }
    },
    async prove(presented) {
      const proof = proofOf(presented, null)
      await useUp(replay, proof)
      return proof.jkt
    },
    sessionIn(token) {
      try {
        return sessionOf(token).session
      } catch (error) {
        if (error instanceof JwsError) return null // What is not a live session is nobody's.
        throw error
      }
    },
  }
}

/** A session sent as a bearer token is one without a proof; anything else there is no session. */
function sessionTokenIn({ authorization, dpop }: Presented): string {
  const token = credentialsIn(authorization, 'DPoP')
  if (token !== null) return token
  if (dpop === null && credentialsIn(authorization, 'Bearer') !== null) throw refused('missing')
  throw new BrokerError('invalid_token', { message: 'no_session' })
}

interface Held {
  readonly session: Session
  readonly jkt: string
}

/**
 * Verifies each session once. What is kept is that the signature was right, never that the session
 * may still be used: whether what it rests on was stopped is read where it is decided.
 */
function createSessionReader(signer: Signer, clock: Clock): (token: string) => Held {
  const known = createCache<Held & { readonly kid: string }>(SESSIONS_KEPT)
  // A key that was taken out since takes with it what it signed.
  const isInForce = (kid: string) => signer.keys.some((key) => key.kid === kid)
  return (token) => {
    if (token.length > MAX_BYTES) throw new JwsError('too_large')
    const now = clock()
    const digest = sha256(token)
    const kept = known.get(digest)
    if (kept !== undefined && isInForce(kept.kid)) {
      if (now >= kept.session.expiresAt) throw new JwsError('expired')
      return kept
    }
    const read = readToken('session', token, signer, { now })
    const held = { ...readSession(read), kid: read.kid }
    known.set(digest, held)
    return held
  }
}
