/** What an operator runs once at a PostgreSQL target, so that the broker can make logins there. */
import { escapeIdentifier, escapeLiteral } from 'pg'
import { Name } from './settings.ts'

export interface PlanOptions {
  readonly adminUser: string
  /** Of the admin's password; `scramVerifier` makes it. The text holds no password. */
  readonly verifier: string
  readonly groupRoles: readonly string[]
  readonly database: string
}

/** SQL for a superuser of the target. May be run again. What the prepared roles may do, it leaves to you. */
export function targetPlan({ adminUser, verifier, groupRoles, database }: PlanOptions): string {
  const admin = escapeIdentifier(Name.parse(adminUser))
  const groups = groupRoles.map((role) => escapeIdentifier(Name.parse(role)))
  return [
    '-- Makes and ends logins. It is no superuser, and gives away the prepared roles only.',
    makeIfAbsent(adminUser, `${admin} nologin`),
    `alter role ${admin} login createrole nosuperuser nocreatedb noreplication nobypassrls`,
    `  password ${escapeLiteral(verifier)};`,
    `grant pg_signal_backend to ${admin}; -- to end the sessions of a login that is over`,
    '',
    '-- The prepared roles: grant them tables, never CREATE on a schema.',
    ...groupRoles.map((role, at) => makeIfAbsent(role, `${groups[at] ?? ''} nologin`)),
    ...groups.map((group) => `grant ${group} to ${admin} with admin option;`),
    ...groups.map(
      (group) => `grant connect on database ${escapeIdentifier(database)} to ${group};`,
    ),
    '',
    '-- Until PostgreSQL 15 anybody may make objects in public; a login that owns one cannot be dropped.',
    'revoke create on schema public from public;',
    '',
  ].join('\n')
}

function makeIfAbsent(name: string, definition: string): string {
  return [
    `do $$ begin if not exists (select from pg_catalog.pg_roles where rolname = ${escapeLiteral(name)})`,
    `then create role ${definition}; end if; end $$;`,
  ].join('\n')
}
