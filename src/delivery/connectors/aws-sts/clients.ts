/** The SDK, kept to what is configured here: one try, our key, and nothing of this machine's settings. */
import type * as Sts from '@aws-sdk/client-sts'
import { z } from 'zod'
import { isBroken } from '../../../db/outage.ts'
import { BrokerError } from '../../../domain/problems.ts'
import { JsonError, readJson } from '../../../domain/json.ts'
import { Secret } from '../../../domain/secret.ts'
import { type At, Silent } from '../../connector.ts'
import type { Secrets } from '../../seal.ts'
import type { Settings } from './settings.ts'
import type { Speaker } from './web-identity.ts'

const CONNECT_MS = 3000
const ANSWER_MS = 5000

const Stored = z.strictObject({
  access_key_id: z.string().regex(/^\w{16,128}$/),
  secret_access_key: z.string().min(1),
})

export interface Keys {
  readonly id: string
  readonly secret: Secret
  /** Of a session; what is stored has none. */
  readonly token?: Secret
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

export interface Opening extends Speaker {
  readonly secrets: Secrets
  readonly at: At<Settings>
}

/** Runs `work` with a client that does not outlive it, nor does its key, if it has one. */
export async function withSts<T>(
  opening: Opening,
  work: (client: Sts.STSClient, sdk: typeof Sts) => Promise<T>,
): Promise<T> {
  const sdk = await import('@aws-sdk/client-sts')
  const { credentials, endpoint, region } = opening.at.settings
  const url = endpoint ?? `https://sts.${region}.amazonaws.com`
  const ask = (keys: Keys | null) =>
    using(new sdk.STSClient(clientConfig(keys, url, region)), (client) => work(client, sdk))
  // Who shows a token signs nothing.
  return credentials === 'stored' ? await withStored(opening, ask) : await ask(null)
}

export async function using<Client extends { destroy(): void }, T>(
  client: Client,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return await work(client).finally(() => {
    client.destroy()
  })
}

export const withStored = <T>({ secrets, at }: Opening, ask: (keys: Keys) => Promise<T>) =>
  secrets.use(at.name, (stored) => ask(keysIn(stored)), at.lease)

/** Whatever is left out the SDK looks for in the environment, in files, or at the host's metadata. */
export function clientConfig(keys: Keys | null, endpoint: string, region: string) {
  return {
    ...{ endpoint, region, sigv4aSigningRegionSet: [region] },
    credentials: keys === null ? nobodys : signingWith(keys),
    ...{ maxAttempts: 1, retryMode: 'standard', defaultsMode: 'standard' as const },
    ...{ useDualstackEndpoint: false, useFipsEndpoint: false, userAgentAppId: 'procura' },
    ...{ authSchemePreference: ['aws.auth#sigv4'], disableClockSkewCorrection: true },
    requestHandler: {
      ...{ connectionTimeout: CONNECT_MS, requestTimeout: ANSWER_MS },
      throwOnRequestTimeout: true, // or the SDK waits on, and says so on the console
    },
  }
}

const signingWith = ({ id, secret, token }: Keys) => ({
  ...{ accessKeyId: id, secretAccessKey: secret.reveal() },
  ...(token && { sessionToken: token.reveal() }),
})
const nobodys = () => Promise.reject(new Error('this is not signed with a key'))

/** The status that the endpoint answered with; `null`: it did not answer. */
export function statusOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('$metadata' in error)) return null
  const { httpStatusCode } = error.$metadata as { readonly httpStatusCode?: number }
  return httpStatusCode ?? null
}

/**
 * The signal's end, and the SDK's own for a connection or an answer that took too long. It also calls a
 * connection so that was cut.
 */
export const isLate = (error: unknown) =>
  error instanceof Error && LATE.includes(error.name) && !CUT.includes(codeOf(error))
const LATE = ['AbortError', 'TimeoutError']
const CUT = ['ECONNRESET', 'EPIPE']

/** No connection came about, so that nothing was asked. */
export function isUnreached(error: unknown): boolean {
  const unreached = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']
  return error instanceof Error && unreached.includes(codeOf(error))
}

const codeOf = (error: Error) => ('code' in error ? String(error.code) : '')

/** In our words already. */
class Answered extends Error {}

/** What went wrong, without a word of the SDK's or the target's: those may quote what was sent. */
export function blurred(error: unknown): Error {
  if (error instanceof BrokerError) return error // It never left the house.
  if (error instanceof Answered || error instanceof Silent) return error
  const status = statusOf(error)
  if (status !== null) return new Answered(`The target answered ${String(status)}`)
  const code = error instanceof Error ? codeOf(error) : ''
  // A number is the platform's own for a signal that fired.
  const message = `The target: ${/^[A-Z][A-Z0-9_]{1,39}$/.test(code) ? code : 'no answer'}`
  return isBroken(error) || isLate(error) ? new Silent(message) : new Answered(message)
}
