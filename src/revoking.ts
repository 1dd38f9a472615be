/** One token, and who shows it → what it is to them, stopped (RFC 7009). What is nobody's is left alone. */
import type { mintedFor } from './delivery/minted.ts'
import type { Clock } from './domain/clock.ts'
import type { AgentId, PersonId } from './domain/ids.ts'
import { JwsError, readToken, type Signer } from './domain/jws.ts'
import type { Act } from './domain/request.ts'
import type { Identity } from './identity/authenticate.ts'
import type { ProvenClient } from './identity/clients.ts'
import type { HeldToken, RevocationPart } from './revocation/revocation.ts'

export interface Revoking {
  readonly identity: Pick<Identity, 'sessionIn'>
  readonly revocation: Pick<RevocationPart, 'revokeToken'>
  /** The live credential that a token is, to that agent or service; `null` for everything else. */
  mintedFor(of: Parameters<typeof mintedFor>[1], token: string): ReturnType<typeof mintedFor>
  /** Verifies roots. */
  readonly roots: Signer
  readonly clock: Clock
}

/** An agent its own session, root or credential; a service what was minted for it. */
export function createTokenRevoker(revoking: Revoking) {
  const { identity, revocation } = revoking

  async function tokenOf(client: ProvenClient, token: string): Promise<HeldToken | null> {
    if (client.kind === 'service') {
      const { audience } = client.service
      return credentialOf(await revoking.mintedFor({ audience }, token))
    }
    const { agent } = client
    const session = identity.sessionIn(token)
    if (session !== null) {
      const { jti: stopId, tokenHash: id, sponsor } = session
      return session.agent === agent ? { kind: 'session', id, stopId, sponsor } : null
    }
    return (
      rootIn(revoking, token, agent) ?? credentialOf(await revoking.mintedFor({ agent }, token))
    )
  }

  return async (client: ProvenClient, token: string, act: Act): Promise<void> => {
    const held = await tokenOf(client, token)
    if (held !== null) await revocation.revokeToken(held, act)
  }
}

function credentialOf(found: Awaited<ReturnType<typeof mintedFor>>): HeldToken | null {
  if (found === null) return null
  const { id, sponsor } = found
  return { kind: 'credential', id, stopId: id, sponsor }
}

function rootIn({ roots, clock }: Revoking, token: string, agent: AgentId): HeldToken | null {
  try {
    const { claims, tokenHash: id } = readToken('root', token, roots, { now: clock() })
    if (claims['client_id'] !== agent) return null
    return { kind: 'root', id, stopId: id, sponsor: claims['sub'] as PersonId } // Ours: we signed it.
  } catch (error) {
    if (error instanceof JwsError) return null // What is not a live root is nobody's.
    throw error
  }
}
