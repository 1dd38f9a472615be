/** The only reader of the environment: read once, validated whole, every mistake told at once. */
import { join, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Secret } from './domain/secret.ts'
import { type Mistake, readText } from './mistake.ts'
import { type Peer, peerIn } from './peer-settings.ts'
import type { SealUri, TokenUri } from './pkcs11/uri.ts'
import { type Settings, SETTINGS } from './settings.ts'
import { NOBODY, readTrust, type Trust } from './trust.ts'

export interface Config {
  /** Both sides of the broker, or one of two processes. */
  readonly role: 'all' | 'pdp' | 'cdp'
  /** The other process; `null`: there is none. */
  readonly peer: Peer | null
  readonly databaseUrl: Secret | null
  /** `null`: the origin of the address that is listened on. */
  readonly issuer: string | null
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly keysDir: string
  readonly policiesDir: string
  readonly policyEvaluator: 'compiled' | 'wasm'
  readonly checkpointsFile: string
  readonly sealKey: Secret | null
  /** Of the delivering side: where the keys are that never leave a token. */
  readonly sealToken: SealUri | null
  /** Where those are that sign, of sets that say so. */
  readonly signerToken: TokenUri | null
  readonly dpopNonce: 'required' | 'optional'
  readonly tenant: string
  readonly securityContact: string | null
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent'
  /** For one process, as are the limits below. */
  readonly requestsPerSecond: number
  /** `null`: as many as follow from `requestsPerSecond`. */
  readonly callerPerSecond: number | null
  readonly sponsorPerSecond: number | null
  readonly tenantPerSecond: number | null
  readonly concurrentMax: number
  readonly proxies: readonly string[]
  readonly rootSecondsMax: number
  readonly workers: number | 'auto'
  readonly trust: Trust
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly mistakes: readonly Mistake[]
  constructor(mistakes: readonly Mistake[]) {
    super(
      mistakes
        .map(({ key, problem, example }) => `${key}: ${problem} (for instance ${example})`)
        .join('\n'),
    )
    this.mistakes = mistakes
  }
}

export interface Loaded {
  readonly config: Config
  /** Names that look like ours and are not: mistyped ones, mostly. */
  readonly unknown: readonly string[]
}

/**
 * Reads and validates everything. `NAME_FILE` names a file that holds the value of `NAME`.
 *
 * @param said on the command line, which counts for more
 * @throws ConfigError with every mistake found
 */
export function loadConfig(
  given: NodeJS.ProcessEnv = process.env,
  said: Readonly<Record<string, string>> = {},
): Loaded {
  const instead = Object.keys(said).map((name) => [`${name}_FILE`, undefined])
  const env = { ...given, ...Object.fromEntries(instead), ...said } as NodeJS.ProcessEnv
  const mistakes: Mistake[] = []
  const read = (name: keyof typeof SETTINGS): unknown => readSetting(name, env, mistakes)
  const values = Object.fromEntries(
    Object.keys(SETTINGS).map((name) => [name, read(name as keyof typeof SETTINGS)]),
  ) as Settings

  checkOrigin(values.PROCURA_ISSUER, mistakes)
  const trust =
    values.PROCURA_TRUST === undefined ? NOBODY : readTrust(values.PROCURA_TRUST, mistakes)
  const peer = peerIn(values, mistakes)
  checkTokens(values, mistakes)
  if (mistakes.length > 0) throw new ConfigError(mistakes)

  const dataDir = resolve(values.PROCURA_DATA)
  const config: Config = Object.freeze({
    ...{ role: values.PROCURA_ROLE, peer },
    databaseUrl: values.DATABASE_URL ?? null,
    issuer: values.PROCURA_ISSUER ?? null,
    host: values.PROCURA_HOST,
    port: values.PROCURA_PORT,
    dataDir,
    keysDir: resolve(values.PROCURA_KEYS ?? join(dataDir, 'keys')),
    policiesDir: resolve(values.PROCURA_POLICIES),
    policyEvaluator: values.PROCURA_POLICY_EVALUATOR,
    checkpointsFile: resolve(values.PROCURA_CHECKPOINTS ?? join(dataDir, 'checkpoints')),
    sealKey: values.PROCURA_SEAL_KEY ?? null,
    sealToken: values.PROCURA_SEAL ?? null,
    signerToken: values.PROCURA_SIGNER ?? null,
    dpopNonce: values.PROCURA_DPOP_NONCE,
    tenant: values.PROCURA_TENANT,
    securityContact: values.PROCURA_SECURITY_CONTACT ?? null,
    logLevel: values.PROCURA_LOG,
    requestsPerSecond: values.PROCURA_REQUESTS_PER_SECOND,
    callerPerSecond: values.PROCURA_CALLER_REQUESTS_PER_SECOND ?? null,
    sponsorPerSecond: values.PROCURA_SPONSOR_REQUESTS_PER_SECOND ?? null,
    tenantPerSecond: values.PROCURA_TENANT_REQUESTS_PER_SECOND ?? null,
    concurrentMax: values.PROCURA_CONCURRENT,
    proxies: values.PROCURA_TRUSTED_PROXIES,
    rootSecondsMax: values.PROCURA_ROOT_TTL_SECONDS,
    workers: values.PROCURA_WORKERS,
    trust,
  })
  return { config, unknown: unknownNames(env) }
}

function readSetting(
  name: keyof typeof SETTINGS,
  env: NodeJS.ProcessEnv,
  mistakes: Mistake[],
): unknown {
  const { schema, example } = SETTINGS[name]
  const file = env[`${name}_FILE`]
  if (file !== undefined && env[name] !== undefined) {
    mistakes.push({
      key: name,
      problem: `is given twice, also by ${name}_FILE`,
      example: 'one of them',
    })
    return undefined
  }
  let text = env[name]
  if (file !== undefined) text = readText(file, `${name}_FILE`, mistakes)?.trim()
  // A secret that is not there yet is no setting that was left out.
  if (file !== undefined && text === '') {
    mistakes.push({ key: `${name}_FILE`, problem: `${file} is empty`, example })
    return undefined
  }
  const parsed = schema.safeParse(text === '' ? undefined : text)
  if (parsed.success) return parsed.data
  mistakes.push({
    key: name,
    problem: parsed.error.issues[0]?.message ?? 'is not valid',
    example,
  })
  return undefined
}

function checkOrigin(issuer: string | undefined, mistakes: Mistake[]): void {
  if (issuer === undefined) return
  const { origin, protocol, hostname } = new URL(issuer)
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  const example = SETTINGS.PROCURA_ISSUER.example
  if (origin !== issuer)
    mistakes.push({
      key: 'PROCURA_ISSUER',
      problem: 'is not an origin: no path, no trailing slash',
      example,
    })
  else if (protocol !== 'https:' && !isLoopback)
    mistakes.push({
      key: 'PROCURA_ISSUER',
      problem: 'must be https off the machine',
      example,
    })
}

/** Whoever sets it for people's data, or two of them, would believe what is not so. */
function checkTokens(values: Settings, mistakes: Mistake[]): void {
  const { PROCURA_SEAL: seal, PROCURA_SIGNER: signer, PROCURA_ROLE: role } = values
  if (seal === undefined) return
  if (role === 'pdp') {
    const problem = 'is of the delivering process, and this one is PROCURA_ROLE=pdp'
    mistakes.push({ key: 'PROCURA_SEAL', problem, example: 'nothing' })
  }
  const { object: _, ...token } = seal
  // One login, one wait for it, one PIN that is shown once.
  if (signer === undefined || isDeepStrictEqual(token, signer)) return
  const problem = 'names another token than PROCURA_SEAL, or the same in other words'
  const example = 'PROCURA_SEAL without its object'
  mistakes.push({ key: 'PROCURA_SIGNER', problem, example })
}

function unknownNames(env: NodeJS.ProcessEnv): string[] {
  return Object.keys(env).filter(
    (name) =>
      name.startsWith('PROCURA_') &&
      !(name.replace(/_FILE$/, '') in SETTINGS) &&
      !CLIENT_SIDE.has(name),
  )
}

/** Read by the command line when it acts as a client. */
const CLIENT_SIDE = new Set([
  ...['PROCURA_URL', 'PROCURA_AS', 'PROCURA_AGENT', 'PROCURA_TOKEN', 'PROCURA_DELEGATION'],
])

/** What the command line reads when it acts as a client of a broker. */
export function clientSettings(env: NodeJS.ProcessEnv = process.env) {
  const text = (name: string) => (env[name] === '' ? undefined : env[name])
  const token = text('PROCURA_TOKEN')
  return {
    url: text('PROCURA_URL') ?? null,
    as: text('PROCURA_AS') ?? null,
    agent: text('PROCURA_AGENT') ?? 'report-bot',
    delegation: text('PROCURA_DELEGATION') ?? null,
    token: token === undefined ? null : new Secret(token),
    dataDir: resolve(text('PROCURA_DATA') ?? '.procura'),
  }
}
