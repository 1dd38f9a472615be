/** What a dynamic secrets engine of HashiCorp Vault or OpenBao makes, for one call. */
import { canonical, type Json } from '../../domain/json.ts'
import type { Intent, Issued } from '../../domain/lease.ts'
import { Secret } from '../../domain/secret.ts'
import { type Connector, NoEffect } from '../connector.ts'
import { isTimeout } from '../deadline.ts'
import type { Secrets } from '../seal.ts'
import {
  endByName,
  type Given,
  NAME,
  note,
  orNone,
  prefixOf,
  readOnce,
  makeRole,
  tokenFor,
} from './vault/lease.ts'
import { asBroker, type Opening, Refused, type Session } from './vault/session.ts'
import { Permissions, Settings } from './vault/settings.ts'

export interface VaultOptions {
  readonly secrets: Secrets
  /** Which broker this is: part of each name that it gives. */
  readonly owner: string
}

export function vault({ secrets, owner }: VaultOptions): Connector<Settings, Permissions> {
  const roleOf = (target: string, name: string) => {
    if (!NAME.test(name)) throw new NoEffect('not a name of ours')
    return `${prefixOf(owner, target)}${name}`
  }
  return {
    name: 'vault',
    model: 'mint',
    revocation: 'immediate',
    spending: 'unseen',
    senderConstraint: 'none',
    isAtTarget: true,
    ttlSecondsMin: 1,
    settings: Settings,
    permissions: Permissions,
    audienceOf: () => null,

    async issue(intent, at, permissions, signal) {
      if (!at.settings.paths.includes(permissions.path)) {
        throw new NoEffect('the grant names a path that is not configured for the target')
      }
      const role = roleOf(at.name, intent.downstreamName)
      return await make({ secrets, at, signal }, role, intent, permissions)
    },

    async revoke(downstreamName, at, signal) {
      const role = roleOf(at.name, downstreamName)
      return await asBroker({ secrets, at, signal }, (session) => endByName(session, role))
    },

    async listOwn(at, signal) {
      const prefix = prefixOf(owner, at.name)
      return await asBroker({ secrets, at, signal }, async (session) => {
        if (at.settings.auth.method === 'token') await renew(session)
        const listed = await orNone(session.call('list', 'auth/token/roles'))
        const { keys } = listed?.data ?? {}
        const ours = (Array.isArray(keys) ? keys : [])
          .filter((role) => typeof role === 'string')
          .filter((role) => role.startsWith(prefix))
        return ours.map((role) => role.slice(prefix.length)).filter((name) => NAME.test(name))
      })
    },
  }
}

/** Until its role is asked for nothing can exist; then only an outright no proves that; with a token nothing does. */
async function make(
  opening: Opening,
  role: string,
  intent: Intent,
  permissions: Permissions,
): Promise<Issued> {
  const progress = { isAsked: false, isEmpty: true }
  try {
    return await asBroker(opening, async (session, own) => {
      const { settings } = opening.at
      progress.isAsked = true
      await makeRole(session, role, intent, settings)
      progress.isEmpty = false
      session.become(await firstToken(session, role, intent, settings))
      const given = await readOnce(session, permissions, intent)
      session.become(own)
      // What the engine says of its end counts, though the token's end comes earlier.
      if (given.seconds > intent.ttlSeconds) throw new Error('Vault made it longer than asked')
      await note(session, role, given.leaseId)
      return issued(intent, given, permissions.wrap ? await wrapped(session, given) : given.data)
    })
  } catch (cause) {
    const { isAsked, isEmpty } = progress
    if (cause instanceof NoEffect || (isAsked && !(isEmpty && isOutright(cause)))) throw cause
    throw new NoEffect('the target made nothing', { cause, isTimeout: isTimeout(cause) })
  }
}

/** Where it is refused outright and its role is taken away again, there is nothing. */
async function firstToken(
  session: Session,
  role: string,
  intent: Intent,
  settings: Settings,
): Promise<string> {
  try {
    return await tokenFor(session, role, intent, settings)
  } catch (cause) {
    if (!isOutright(cause)) throw cause
    await session.call('delete', `auth/token/roles/${role}`)
    throw new NoEffect('the target made nothing', { cause })
  }
}

const isOutright = (error: unknown) => error instanceof Refused && error.isOutright

/** A token that is configured lives on as long as it is looked after: at each look for orphans while its target is in use. */
async function renew(session: Session): Promise<void> {
  const { data } = await session.call('read', 'auth/token/lookup-self')
  if (data?.['renewable'] === true) await session.call('write', 'auth/token/renew-self', {})
}

/** Wrapped by us, when its time and its lease have been seen: what Vault wraps shows neither. */
async function wrapped(session: Session, { data, seconds }: Given): Promise<Given['data']> {
  const { wrap_info } = await session.wrap(data, seconds)
  if (!wrap_info) throw new Error('Vault answered without a wrapping token')
  return { wrapping_token: wrap_info.token }
}

function issued(
  { issuedAt, expiresAt }: Intent,
  { seconds }: Given,
  given: Readonly<Record<string, Json>>,
): Issued {
  const data = Object.entries(given).map(([name, value]) => [name, new Secret(textOf(value))])
  const ends = Math.min(expiresAt.getTime(), issuedAt.getTime() + seconds * 1000)
  return {
    kind: 'secret',
    credential: { data: Object.fromEntries(data) as Record<string, Secret> },
    expiresAt: new Date(ends),
  }
}

const textOf = (value: Json) => (typeof value === 'string' ? value : canonical(value))
