/**
 * One lease at Vault: a token role with our name, one token of it, and what that token reads. Each rests
 * on the one before, so whoever ends the first by its name has ended the others.
 */
import { sha256 } from '../../../domain/digest.ts'
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { Intent } from '../../../domain/lease.ts'
import type { Revoked } from '../../connector.ts'
import { type Answer, Refused, type Session } from './session.ts'
import type { Permissions, Settings } from './settings.ts'

export const NAME = /^cb_[a-z2-7]{26}$/

/** How the names of a broker begin, at one target: two that share a Vault know theirs apart by it. */
export const prefixOf = (owner: string, target: string) =>
  `procura-${Buffer.from(sha256(`${owner}\0${target}`), 'base64url').toString('hex', 0, 6)}-`

export interface Given {
  readonly leaseId: string
  readonly seconds: number
  readonly data: Readonly<Record<string, Json>>
}

/** Opens nothing: nobody has a token of it. */
export async function makeRole(
  session: Session,
  role: string,
  { ttlSeconds }: Intent,
  { policies }: Settings,
): Promise<void> {
  await session.call('write', `auth/token/roles/${role}`, {
    ...{ allowed_policies: policies.join(','), orphan: true, renewable: false },
    ...{ token_type: 'service', token_no_default_policy: true },
    token_explicit_max_ttl: ttlSeconds,
  })
}

/** For this call alone: it is handed to nobody. */
export async function tokenFor(
  session: Session,
  role: string,
  { downstreamName, decision, ttlSeconds }: Intent,
  { policies }: Settings,
): Promise<string> {
  const { auth } = await session.call('write', `auth/token/create/${role}`, {
    ...{ policies, no_default_policy: true, renewable: false, ttl: `${String(ttlSeconds)}s` },
    ...{ display_name: downstreamName, meta: { lease: downstreamName, decision } },
  })
  if (!auth) throw new Error('Vault answered without a token')
  return auth.client_token
}

/** What the engine makes, on record under our name before anybody has it. */
export async function readOnce(
  session: Session,
  { path, method, data, ttl_field }: Permissions,
  { ttlSeconds }: Intent,
): Promise<Given> {
  const time: JsonObject = ttl_field === undefined ? {} : { [ttl_field]: `${String(ttlSeconds)}s` }
  const answer = await session.call(method, path, { ...data, ...time })
  const { lease_id, lease_duration, data: given } = answer
  if (!lease_id || !lease_id.startsWith(`${path}/`) || !LEASE.test(lease_id)) {
    throw new Error('Vault answered without a lease: it could not be ended')
  }
  if (!given || !lease_duration || lease_duration < 0)
    throw new Error('Vault answered with nothing')
  return { leaseId: lease_id, seconds: lease_duration, data: given }
}
const LEASE = /^[A-Za-z0-9_./-]{1,400}$/

/** `path_suffix` is the one free text of a role; the token was made before and is not touched by it. */
export async function note(session: Session, role: string, leaseId: string): Promise<void> {
  const path_suffix = Buffer.from(leaseId).toString('hex')
  await session.call('write', `auth/token/roles/${role}`, { path_suffix })
}

/**
 * Resolves when the token is gone, and with it what it read: where the engine could not end that, this
 * throws, and does so again next time. Where no lease is noted, nobody was ever given what it was for.
 */
export async function endByName(session: Session, role: string): Promise<Revoked> {
  const noted = await orNone(session.call('read', `auth/token/roles/${role}`))
  await endTokens(session, role)
  const leaseId = noted && leaseIdOf(noted)
  if (leaseId !== null) await endLease(session, leaseId)
  await session.call('delete', `auth/token/roles/${role}`)
  // One that was on its way as the first were ended; without the role there is no other.
  await endTokens(session, role)
  return { found: noted !== null }
}

const endTokens = (session: Session, role: string) =>
  session.call('write', `sys/leases/revoke-prefix/auth/token/create/${role}`, { sync: true })

async function endLease(session: Session, lease_id: string): Promise<void> {
  await session.call('write', `sys/leases/revoke/${lease_id}`, { sync: true })
  try {
    await session.call('write', 'sys/leases/lookup', { lease_id })
  } catch (error) {
    if (error instanceof Refused && error.isUnknownLease) return
    throw error
  }
  throw new Error('The lease is still there')
}

function leaseIdOf({ data }: Answer): string | null {
  const suffix = data?.['path_suffix']
  if (typeof suffix !== 'string' || suffix === '') return null
  const leaseId = Buffer.from(suffix, 'hex').toString()
  if (!LEASE.test(leaseId) || leaseId.includes('..')) throw new Error('The note is not ours')
  return leaseId
}

/** `null`: the server says that there is no such thing. */
export async function orNone(call: Promise<Answer>): Promise<Answer | null> {
  return await call.catch((error: unknown) => {
    if (error instanceof Refused && error.status === 404) return null
    throw error
  })
}
