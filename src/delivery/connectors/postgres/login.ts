/** Makes a login: a member of prepared roles, with a password that runs out, in one transaction. */
import { type Client, escapeIdentifier, escapeLiteral } from 'pg'
import { NoEffect } from '../../connector.ts'

/** What this connector gives to everything it makes, and the only names it ever drops. */
export const LOGIN = /^cb_[a-z2-7]{26}$/

export interface Login {
  readonly name: string
  readonly verifier: string
  readonly roles: readonly string[]
  readonly expiresAt: Date
  readonly readOnly: boolean
  readonly statementTimeoutMs: number
  readonly searchPath: readonly string[]
  /** Kept as the comment of the role: by it a broker knows its own. */
  readonly mark: string
}

/** SQL that makes it and commits. Statements take no parameters here; each value is quoted for its place. */
export function loginSql(login: Login): string {
  if (!LOGIN.test(login.name)) throw new NoEffect('not a name of ours')
  const name = escapeIdentifier(login.name)
  const roles = login.roles.map((role) => escapeIdentifier(role)).join(', ')
  const path = ['pg_catalog', ...login.searchPath, 'pg_temp'].map((schema) =>
    escapeIdentifier(schema),
  )
  const settings = {
    default_transaction_read_only: login.readOnly ? 'on' : 'off',
    statement_timeout: String(login.statementTimeoutMs),
    idle_in_transaction_session_timeout: '10000',
    search_path: path.join(', '),
  }
  return [
    `create role ${name} login nosuperuser nocreatedb nocreaterole noreplication nobypassrls`,
    ` connection limit 1 valid until ${escapeLiteral(login.expiresAt.toISOString())}`,
    ` password ${escapeLiteral(login.verifier)}`,
    ...(roles === '' ? [] : [` in role ${roles}`]),
    ...Object.entries(settings).map(([key, to]) => `;\nalter role ${name} set ${key} = ${to}`),
    `;\ncomment on role ${name} is ${escapeLiteral(login.mark)}`,
    ';\ncommit',
  ].join('')
}

/**
 * The roles are there, and neither they nor what they are members of can log in or do what no grant
 * on a table gives.
 *
 * @throws NoEffect
 */
export async function checkRoles(client: Client, roles: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ found: number; unfit: boolean }>(
    `with recursive named as (
       select oid from pg_catalog.pg_roles where rolname = any($1::text[])
     ), reached as (
       select oid from named
       union
       select m.roleid from pg_catalog.pg_auth_members m join reached r on m.member = r.oid
     )
     select (select count(*)::int from named) as found,
       coalesce(bool_or(rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolreplication
         or rolbypassrls or rolname in ('pg_execute_server_program', 'pg_read_server_files',
           'pg_write_server_files', 'pg_signal_backend', 'pg_database_owner')), false) as unfit
     from reached join pg_catalog.pg_roles using (oid)`,
    [roles],
  )
  const [row] = rows
  if (row?.found !== roles.length) throw new NoEffect('a prepared role is not at the target')
  if (row.unfit) throw new NoEffect('a prepared role can do more than a prepared role may')
}
