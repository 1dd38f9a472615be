/** procura target: what a guarded database needs, and the password that the broker guards it with. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Config } from '../../config.ts'
import { Secret } from '../../domain/secret.ts'
import { CommandError, EXIT } from '../exit.ts'
import { printer } from '../print.ts'
import { configuration } from '../settings.ts'

export function targetCommand(): Command {
  const target = new Command('target').description('prepare a target, and store its password')
  withPassword(target.command('plan'))
    .description('print what prepares a target: SQL, or policies of an AWS role; runs nothing')
    .option('--principal <arn>', 'of an AWS role: whose access key the broker has')
    .addHelpText('before', 'procura target plan orders-db < password > target.sql\n')
    .action(plan)
  withPassword(target.command('secret'))
    .description('seal the password of the login that the broker makes other logins with')
    .addHelpText('before', 'procura target secret orders-db < password\n')
    .action(storeSecret)
  target
    .command('brake')
    .description('end every session of an AWS role that there is now, whoever made it')
    .argument('<name>', 'as in the trust file')
    .action(brake)
  return target
}

const withPassword = (command: Command) =>
  command
    .argument('<name>', 'as in the trust file')
    .option('--file <file>', "where the password of the broker's own login is (standard input)")

interface Options {
  readonly file?: string
  readonly principal?: string
}

/** The text holds a verifier of the password, never the password. */
async function plan(name: string, { file, principal }: Options): Promise<void> {
  const settings = settingsOf(configuration(), name)
  if (settings.connector === 'aws-sts') {
    await planRole(name, principal)
    return
  }
  const [{ targetPlan }, { scramVerifier }, { Settings }] = await Promise.all([
    import('../../delivery/connectors/postgres/plan.ts'),
    import('../../delivery/connectors/postgres/scram.ts'),
    import('../../delivery/connectors/postgres/settings.ts'),
  ])
  if (settings.connector !== 'postgres') throw new CommandError('it needs no SQL', EXIT.usage)
  const { connector: _, ...own } = settings
  const { database, admin_user: adminUser, group_roles: groupRoles } = Settings.parse(own)
  const verifier = await scramVerifier(passwordFrom(file))
  process.stdout.write(targetPlan({ adminUser, verifier, groupRoles, database }))
}

async function planRole(target: string, principal: string | undefined): Promise<void> {
  const config = configuration()
  const [{ rolePlan, webIdentityPlan }, { Settings }] = await Promise.all([
    import('../../delivery/connectors/aws-sts/plan.ts'),
    import('../../delivery/connectors/aws-sts/settings.ts'),
  ])
  const { connector: _, ...own } = settingsOf(config, target)
  const settings = Settings.parse(own)
  if (settings.credentials === 'web_identity') {
    const { issuer } = config
    if (issuer === null) throw new CommandError('this needs PROCURA_ISSUER', EXIT.usage)
    process.stdout.write(webIdentityPlan({ settings, target, issuer }))
    return
  }
  if (principal === undefined) throw new CommandError('this needs --principal', EXIT.usage)
  process.stdout.write(rolePlan({ settings, principal }))
}

async function storeSecret(name: string, { file }: Options): Promise<void> {
  const config = configuration()
  const { databaseUrl } = config
  if (databaseUrl === null) throw new CommandError('this needs DATABASE_URL', EXIT.usage)
  const settings = settingsOf(config, name)
  if (settings['credentials'] === 'web_identity') {
    throw new CommandError('it has no secret: STS believes the issuer', EXIT.usage)
  }
  const secret = passwordFrom(file)
  if (settings.connector === 'http') await checkForm(settings, secret)
  const { sealTarget } = await import('../seal-target.ts')
  await sealTarget({ ...config, databaseUrl }, name, secret)
  printer.line('sealed', name)
}

/** A refresh token and a client's secret are stored together. */
async function checkForm(declared: ReturnType<typeof settingsOf>, secret: Secret): Promise<void> {
  const [{ isItself, Settings }, { storedIn }] = await Promise.all([
    import('../../delivery/connectors/http/settings.ts'),
    import('../../delivery/proxy/grants.ts'),
  ])
  const { connector: _, ...own } = declared
  const { inject } = Settings.parse(own)
  if (isItself(inject) || !('refresh_token' in inject)) return
  try {
    storedIn(secret.reveal(), inject.refresh_token.authentication)
  } catch {
    const form = '{"client_secret": "…", "refresh_token": "…"}'
    throw new CommandError(`it has to be ${form}`, EXIT.usage)
  }
}

async function brake(name: string): Promise<void> {
  const config = configuration()
  const { connector, ...settings } = settingsOf(config, name)
  if (connector !== 'aws-sts') throw new CommandError('it is not a role of AWS', EXIT.usage)
  const { brakeTarget } = await import('../brake-target.ts')
  const before = await brakeTarget(config, { name, settings })
  printer.line('braked', `${name}: what was made before ${before.toISOString()} can do nothing`)
}

/** As its connector knows them. */
function settingsOf({ trust }: Config, name: string) {
  const target = Object.hasOwn(trust.targets, name) ? trust.targets[name] : undefined
  if (target === undefined) {
    throw new CommandError(`the trust file has no target ${name}`, EXIT.usage)
  }
  const { limits: _, ...settings } = target
  return settings
}

function passwordFrom(file: string | undefined): Secret {
  const text = readFileSync(file ?? 0, 'utf8').replace(/\r?\n$/, '')
  if (text.length < 16) throw new CommandError('a password of 16 characters or more', EXIT.usage)
  return new Secret(text)
}
