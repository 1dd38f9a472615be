/** procura migrate, db plan: the database brought to the version of this code, and what it needs first. */
import { Command, Option } from 'commander'
import { ROLES } from '../../db/connect.ts'
import { expectedVersion } from '../../db/migrate.ts'
import { rolesOf, SIDES_OF } from '../../pools.ts'
import { bringUpToDate, withDatabase } from '../database.ts'
import { MIGRATIONS } from '../home.ts'
import { printer } from '../print.ts'
import { configuration } from '../settings.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database to the version of this code; safe to run twice, and at once')
    .addHelpText('before', 'DATABASE_URL=postgres://… procura migrate\n')
    .action(async () => {
      const applied = await withDatabase(configuration(), bringUpToDate)
      const version = `schema ${String(expectedVersion(MIGRATIONS))}`
      if (applied.length === 0) printer.line('current', `${version}, nothing to apply`)
      else printer.line('applied', `${applied.map(padded).join(', ')} · now at ${version}`)
    })
}

export function dbCommand(): Command {
  const db = new Command('db').description('what the database needs before the first migration')
  db.command('plan')
    .description('print the SQL that makes our roles; runs nothing')
    .option('--login <name>', 'the login of DATABASE_URL, which joins them', 'procura')
    .addOption(new Option('--role <role>', 'for one of two processes').choices(['pdp', 'cdp']))
    .addHelpText('before', 'procura db plan --login procura > roles.sql\n')
    .action(({ login, role }: { login: string; role?: 'pdp' | 'cdp' }) => {
      process.stdout.write(role === undefined ? rolesPlan(login) : loginPlan(login, role))
    })
  return db
}

const padded = (number: number) => String(number).padStart(4, '0')

/** For whoever may create roles, connected to the broker's database. No superuser is needed. */
export function rolesPlan(login: string): string {
  const member = identifier(login)
  return [
    '-- Roles for Procura: one for each side, none of them can log in. Safe to run twice.',
    `-- The login ${login} owns the database and joins them; then: DATABASE_URL=… procura migrate`,
    ...ROLES.map(
      (role) =>
        `do $$ begin create role ${role} nologin; exception when duplicate_object then null; end $$;\n` +
        `grant ${role} to ${member};`,
    ),
    '',
  ].join('\n')
}

/** A login for one of two processes: it may become the roles of its side, and no other. */
export function loginPlan(login: string, side: keyof typeof SIDES_OF): string {
  const member = identifier(login)
  return [
    `-- The login of the process with the role ${side}. Its password: \\password, in psql.`,
    `do $$ begin create role ${member} login noinherit; exception when duplicate_object then null; end $$;`,
    ...rolesOf(SIDES_OF[side]).map((role) => `grant ${role} to ${member};`),
    '',
  ].join('\n')
}

export const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`
