/** The SDK, kept to what is configured here: one try, our key, and nothing of this machine's settings. */
import type * as Iam from '@aws-sdk/client-iam'
import type * as Sts from '@aws-sdk/client-sts'
import { z } from 'zod'
import { isBroken } from '../../../db/outage.ts'
import { JsonError, readJson } from '../../../domain/json.ts'
import { Secret } from '../../../domain/secret.ts'
import { type At, Silent } from '../../connector.ts'
import type { Secrets } from '../../seal.ts'
import type { Settings } from './settings.ts'

const CONNECT_MS = 3000
const ANSWER_MS = 5000

const Stored = z.strictObject({
  access_key_id: z.string().regex(/^\w{16,128}$/),
  secret_access_key: z.string().min(1),
})

export interface Keys {
  readonly id: string
  readonly secret: Secret
}

/** @throws TypeError when what is stored is not JSON of `access_key_id` and `secret_access_key` */
export function keysIn(stored: Secret): Keys {
  const read = Stored.safeParse(objectIn(stored))
  if (!read.success) throw new TypeError('what is stored for the target is not an access key')
  const { access_key_id: id, secret_access_key: secret } = read.data
  return { id, secret: new Secret(secret) }
}

function objectIn(stored: Secret) {
  try {
    return readJson(Buffer.from(stored.reveal()))
  } catch (error) {
    if (error instanceof JsonError) return null
    throw error
  }
}

/** Runs `work` with a client that does not outlive it, nor does its key. */
export async function withSts<T>(
  { secrets, at }: Opening,
  work: (client: Sts.STSClient, sdk: typeof Sts) => Promise<T>,
): Promise<T> {
  const sdk = await import('@aws-sdk/client-sts')
  const { endpoint, region } = at.settings
  const url = endpoint ?? `https://sts.${region}.amazonaws.com`
  const make = (keys: Keys) => new sdk.STSClient(clientConfig(keys, url, region))
  return await withClient({ secrets, at }, make, (client) => work(client, sdk))
}

/** The same for IAM, which in AWS is one place for all regions. */
export async function withIam<T>(
  { secrets, at }: Opening,
  work: (client: Iam.IAMClient, sdk: typeof Iam) => Promise<T>,
): Promise<T> {
  const sdk = await import('@aws-sdk/client-iam')
  const { endpoint, region, iam_endpoint, iam_region } = at.settings
  const url = iam_endpoint ?? endpoint ?? 'https://iam.amazonaws.com'
  const signedFor = iam_region ?? (endpoint === undefined ? 'us-east-1' : region)
  const make = (keys: Keys) => new sdk.IAMClient(clientConfig(keys, url, signedFor))
  return await withClient({ secrets, at }, make, (client) => work(client, sdk))
}

export interface Opening {
  readonly secrets: Secrets
  readonly at: At<Settings>
}

async function withClient<Client extends { destroy(): void }, T>(
  { secrets, at }: Opening,
  make: (keys: Keys) => Client,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const use = async (stored: Secret) => {
    const client = make(keysIn(stored))
    return await work(client).finally(() => {
      client.destroy()
    })
  }
  return await secrets.use(at.name, use, at.lease)
}

/** Whatever is left out the SDK looks for in the environment, in files, or at the host's metadata. */
function clientConfig({ id, secret }: Keys, endpoint: string, region: string) {
  return {
    ...{ endpoint, region, sigv4aSigningRegionSet: [region] },
    credentials: { accessKeyId: id, secretAccessKey: secret.reveal() },
    ...{ maxAttempts: 1, retryMode: 'standard', defaultsMode: 'standard' as const },
    ...{ useDualstackEndpoint: false, useFipsEndpoint: false, userAgentAppId: 'procura' },
    ...{ authSchemePreference: ['aws.auth#sigv4'], disableClockSkewCorrection: true },
    requestHandler: {
      ...{ connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS },
      throwOnRequestTimeout: true, // or the SDK waits on, and says so on the console
    },
  }
}

/** The status that the endpoint answered with; `null`: it did not answer. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('$metadata' in error)) return null
  const { httpStatusCode } = error.$metadata as { readonly httpStatusCode?: number }
  return httpStatusCode ?? null
}

/** The signal's end, and the SDK's own for a connection or an answer that took too long. */
const isLate = (error: unknown) =>
  error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name)

/** No connection came about, so that nothing was asked. */
export function isUnreached(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null
  return ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH'].includes(String(code))
}

/** What went wrong, without a word of the SDK's or the target's: those may quote what was sent. */
export function blurred(error: unknown): Error {
  const status = statusOf(error)
  if (status !== null) return new Error(`The target answered ${String(status)}`)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const message = `The target: ${/^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no answer'}`
  return isBroken(error) || isLate(error) ? new Silent(message) : new Error(message)
}
