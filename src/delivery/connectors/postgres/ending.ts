/** Ends a login: no new session, no open one, no role; and looks again. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Client, escapeIdentifier } from 'pg'
import { PartlyRevoked, type Revoked } from '../../connector.ts'
import { isState } from './admin.ts'
import { LOGIN } from './login.ts'

const PAUSE_MS = 25
const [UNDEFINED_OBJECT, STILL_NEEDED] = ['42704', '2BP01']
/** lock_not_available; and "tuple concurrently updated", which has no code of its own. */
const HELD_UP = ['55P03', 'XX000']

/**
 * Resolves when the login is gone and none of its sessions is left. `VALID UNTIL` ends a password
 * and `DROP ROLE` a name; sessions outlive both unless they are terminated.
 *
 * @throws PartlyRevoked when it can do nothing any more but owns something, so that it stays
 */
export async function endLogin(
  client: Client,
  name: string,
  signal: AbortSignal,
): Promise<Revoked> {
  if (!LOGIN.test(name)) throw new TypeError('not a name of ours')
  // Whoever is making it at this moment is stopped first, or it would appear behind our back.
  await untilNone(() => terminate(client, MAKERS, name), signal)
  const oid = await roleOf(client, name)
  if (oid === null) return { found: false }

  await bar(client, name, oid, signal)
  await untilNone(() => terminate(client, SESSIONS, oid), signal)
  await unlessGone(client.query(`drop role ${escapeIdentifier(name)}`))
  // One that was half logged in when the role was barred shows up only now.
  await untilNone(() => terminate(client, SESSIONS, oid), signal)
  if ((await roleOf(client, name)) !== null) throw new Error('The role is still there')
  return { found: true }
}

/**
 * Nobody logs in with it any more. A login may alter its own role: one that does, and leaves the
 * transaction open, would hold us up for as long as its session lives, so that is ended first.
 */
async function bar(client: Client, name: string, oid: string, signal: AbortSignal): Promise<void> {
  const sql = `alter role ${escapeIdentifier(name)} nologin connection limit 0 password null
               valid until '-infinity'`
  for (;;) {
    await terminate(client, SESSIONS, oid)
    try {
      await unlessGone(client.query(sql))
      return
    } catch (error) {
      if (!HELD_UP.some((state) => isState(error, state))) throw error
      signal.throwIfAborted()
    }
  }
}

/** Sessions are told apart by what they cannot choose: a minted login is never the admin role. */
const MAKERS = 'application_name = $1 and usename = current_user'
const SESSIONS = 'usesysid = $1::oid'

async function terminate(client: Client, which: string, value: string): Promise<number> {
  const { rows } = await client.query(
    `select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity
     where ${which} and pid <> pg_catalog.pg_backend_pid()`,
    [value],
  )
  return rows.length
}

async function untilNone(count: () => Promise<number>, signal: AbortSignal): Promise<void> {
  while ((await count()) > 0) await pause(PAUSE_MS, undefined, { signal })
}

async function roleOf(client: Client, name: string): Promise<string | null> {
  const { rows } = await client.query<{ oid: string }>(
    'select oid::text as oid from pg_catalog.pg_roles where rolname = $1',
    [name],
  )
  return rows[0]?.oid ?? null
}

/** Somebody else may have ended it meanwhile; that is what we want too. */
async function unlessGone(statement: Promise<unknown>): Promise<void> {
  try {
    await statement
  } catch (error) {
    if (isState(error, STILL_NEEDED)) throw new PartlyRevoked('the role owns something')
    if (!isState(error, UNDEFINED_OBJECT)) throw error
  }
}
