/** A login of its own for each call, on a PostgreSQL that the broker does not serve otherwise. */
import { randomBytes } from 'node:crypto'
import { isOutage } from '../../db/outage.ts'
import type { Intent, Issued } from '../../domain/lease.ts'
import { Secret } from '../../domain/secret.ts'
import { type At, type Connector, NoEffect, PartlyRevoked } from '../connector.ts'
import type { Secrets } from '../seal.ts'
import { asAdmin, blurred, isRefusal } from './postgres/admin.ts'
import { endLogin } from './postgres/ending.ts'
import { checkRoles, LOGIN, loginSql } from './postgres/login.ts'
import { scramVerifier } from './postgres/scram.ts'
import { Permissions, Settings } from './postgres/settings.ts'

export interface PostgresOptions {
  readonly secrets: Secrets
  /** Which broker this is: written on each login, and asked before one is taken for an orphan. */
  readonly owner: string
}

export function postgres({ secrets, owner }: PostgresOptions): Connector<Settings, Permissions> {
  const markOf = (at: At<Settings>) => `procura ${owner} ${at.name}`
  return {
    name: 'postgres',
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
      const { downstreamName, expiresAt } = intent
      const roles = [...new Set(permissions.roles)]
      if (roles.some((role) => !at.settings.group_roles.includes(role))) {
        throw new NoEffect('the grant names a role that is not configured for the target')
      }
      const password = new Secret(randomBytes(32).toString('base64url'))
      const sql = loginSql({
        ...{ name: downstreamName, verifier: await scramVerifier(password), roles, expiresAt },
        ...{ readOnly: permissions.read_only, searchPath: at.settings.search_path },
        ...{ statementTimeoutMs: permissions.statement_timeout_ms, mark: markOf(at) },
      })
      await make({ secrets, at, label: downstreamName, signal }, roles, sql)
      return issued(intent, at.settings, password)
    },

    async revoke(downstreamName, at, signal) {
      const admin = { secrets, at, label: 'procura-revoke', signal }
      try {
        return await asAdmin(admin, (client) => endLogin(client, downstreamName, signal))
      } catch (error) {
        throw error instanceof PartlyRevoked ? error : blurred(error)
      }
    },

    async listOwn(at, signal) {
      const admin = { secrets, at, label: 'procura-reconcile', signal }
      return await asAdmin(admin, async (client) => {
        const { rows } = await client.query<{ name: string }>(
          `select rolname as name from pg_catalog.pg_roles
           where pg_catalog.starts_with(rolname, 'cb_')
             and pg_catalog.shobj_description(oid, 'pg_authid') = $1`,
          [markOf(at)],
        )
        return rows.map(({ name }) => name).filter((name) => LOGIN.test(name))
      }).catch((error: unknown) => {
        throw blurred(error)
      })
    },
  }
}

/** Until the last statement is sent nothing can exist; after that, only the server's no proves it. */
async function make(
  admin: Parameters<typeof asAdmin>[0],
  roles: readonly string[],
  sql: string,
): Promise<void> {
  const progress = { isSent: false }
  try {
    await asAdmin(admin, async (client) => {
      await client.query('begin')
      await checkRoles(client, roles)
      admin.signal.throwIfAborted()
      progress.isSent = true
      await client.query(sql)
    })
  } catch (error) {
    if (error instanceof NoEffect) throw error
    const cause = blurred(error)
    if (progress.isSent && !isRefusal(error)) throw cause
    const isTimeout = isOutage(error) && /timeout|ETIMEDOUT/i.test(String(error))
    throw new NoEffect('the target made nothing', { cause, isTimeout })
  }
}

function issued(
  { downstreamName, expiresAt }: Intent,
  settings: Settings,
  password: Secret,
): Issued {
  const { host, port, database, sslmode } = settings
  return {
    kind: 'postgres',
    credential: { host, port, database, username: downstreamName, password, sslmode },
    expiresAt,
  }
}
