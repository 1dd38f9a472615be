/** Who did it, for the record; and whose Idempotency-Key it is. */
import { sha256 } from '../domain/digest.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import { canonical, readJson } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, Presented, RequestKey } from '../domain/request.ts'

export function actOf({ session, jkt }: ProvenInstance, { requestId, face }: Presented): Act {
  const { agent: id, instance, tokenHash: credentialHash } = session
  const authentication = 'session_dpop' as const
  return {
    requestId,
    face,
    actor: { kind: 'agent', id, instance, authentication, credentialHash, jkt },
  }
}

const KEY = /^(?:"([A-Za-z0-9._~:+/=-]{8,128})"|([A-Za-z0-9._~:+/=-]{8,128}))$/

/**
 * The key that the request came with, bare or quoted; `null` where it came with none.
 *
 * @param caller an `ins_` id
 * @throws BrokerError `invalid_idempotency_key`
 * @throws JsonError when the body is not JSON that would be served
 */
export function requestKeyOf(
  caller: string,
  { idempotencyKey, method, path, body }: Presented,
): RequestKey | null {
  if (idempotencyKey === null) return null
  const [, quoted, bare] = KEY.exec(idempotencyKey) ?? []
  const key = quoted ?? bare
  if (key === undefined) throw new BrokerError('invalid_idempotency_key')
  const fingerprint = sha256(body.length === 0 ? '' : canonical(readJson(body)))
  return { caller, route: `${method} ${path}`, key, fingerprint }
}
