/** Which roles a login gets, and which it could get: what a wall in the database is made of. */
import type { Pool } from 'pg'
import type { Role } from './connect.ts'

/**
 * Roles and limits are options of a connection: without them it may do whatever its login may.
 *
 * @throws Error when somebody in between has dropped them
 */
export async function refuseUnheardRole(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ role: string }>('select current_user as role')
  const [, wanted] = /-c role=(\w+)/.exec(pool.options.options ?? '') ?? []
  if (wanted !== undefined && rows[0]?.role === wanted) return
  throw new Error(
    `a connection does not get the role ${String(wanted)} that it asks for: a pooler in between must pass on its options`,
  )
}

/**
 * For a process that is one of two: whoever breaks it must not become the other by asking.
 *
 * @throws Error when the login may take on one of these roles, or give itself any
 */
export async function refuseOthersRoles(pool: Pool, others: readonly Role[]): Promise<void> {
  const { rows } = await pool.query<{ role: string | null }>(
    `select r.rolname as role from pg_catalog.pg_roles r
     where r.rolname = any($1) and pg_catalog.pg_has_role(session_user, r.oid, 'member')
     union all
     select null from pg_catalog.pg_roles r
     where r.rolname = session_user and (r.rolsuper or r.rolcreaterole)
     order by role nulls last`,
    [[...others, 'procura_owner', 'procura_ledger']],
  )
  const [first] = rows
  if (first === undefined) return
  throw new Error(
    (first.role === null
      ? 'the login of DATABASE_URL may give itself any role, also those of the other process: '
      : `the login of DATABASE_URL may become ${first.role}, which is the other process': `) +
      'give each a login of its own (docs/two-processes.md)',
  )
}
