/** Who is calling, where another process of ours finds out: it has the keys to sessions, and uses up the proofs. */
import { ProvenInstance, type Session } from '../domain/instance.ts'
import { ProvenService } from '../domain/person.ts'
import type { Presented } from '../domain/request.ts'
import { actOf, requestKeyOf } from './acts.ts'
import type { Identity } from './authenticate.ts'

/** That other process, over a line that nobody else is at the end of. */
export interface Authenticating {
  authenticate(presented: Presented): Promise<{ readonly session: Session; readonly jkt: string }>
  service(
    presented: Presented,
    assertion?: string | null,
  ): Promise<{ readonly name: string; readonly audience: string; readonly tokenHash: string }>
  nonce(): string
}

export function createAskedIdentity(
  asked: Authenticating,
): Pick<Identity, 'authenticate' | 'service' | 'actOf' | 'requestKey' | 'currentNonce'> {
  return {
    async authenticate(presented) {
      const { session, jkt } = await asked.authenticate(presented)
      return ProvenInstance.proven(session, jkt)
    },
    async service(presented, assertion) {
      const { name, audience, tokenHash } = await asked.service(presented, assertion)
      return ProvenService.proven(name, audience, tokenHash)
    },
    actOf,
    requestKey: ({ session }, presented) => requestKeyOf(session.instance, presented),
    currentNonce: () => asked.nonce(),
  }
}
