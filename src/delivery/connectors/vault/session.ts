/** A few calls to one Vault, logged in with what is sealed for the target, which is let go afterwards. */
import { z } from 'zod'
import { isBroken } from '../../../db/outage.ts'
import type { JsonObject } from '../../../domain/json.ts'
import type { Secret } from '../../../domain/secret.ts'
import { type At, Silent } from '../../connector.ts'
import { atMost } from '../../deadline.ts'
import type { Secrets } from '../../seal.ts'
import type { Settings } from './settings.ts'
import { type Call, createTransport } from './transport.ts'

export const Answer = z.looseObject({
  data: z.record(z.string(), z.json()).nullish(),
  lease_id: z.string().nullish(),
  lease_duration: z.number().nullish(),
  auth: z.looseObject({ client_token: z.string().min(1), renewable: z.boolean() }).nullish(),
  wrap_info: z.looseObject({ token: z.string().min(1) }).nullish(),
})
export type Answer = z.infer<typeof Answer>

const LOG_OUT_MS = 500

/** Only what is written has data. */
type Method = 'read' | 'write' | 'list' | 'delete'

export interface Session {
  /** @throws Refused where the server says no; anything else may have had its effect */
  call(method: Method, path: string, data?: JsonObject): Promise<Answer>
  /** Puts this where it can be taken once, with the token that the answer has. */
  wrap(data: JsonObject, seconds: number): Promise<Answer>
  /** From now on the calls are made with this token. */
  become(token: string): void
}

/** The server's no, without its words: those may quote what was sent. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly isUnknownLease: boolean
  /** It did nothing of it. A 503 of a balancer in between says nothing of that; a 400 or 500 is an engine's. */
  readonly isOutright: boolean
  constructor(status: number, words: readonly string[]) {
    super(`Vault answered ${String(status)}`)
    this.status = status
    this.isUnknownLease = words.includes('invalid lease')
    const isSealed = status === 503 && words.some((one) => one.includes('Vault is sealed'))
    this.isOutright = isSealed || [307, 403, 404, 405, 429].includes(status)
  }
}

export interface Opening {
  readonly secrets: Secrets
  readonly at: At<Settings>
  readonly signal: AbortSignal
}

/** Runs `work` as the broker. Its own token is kept for no second operation. */
export async function asBroker<T>(
  { secrets, at, signal }: Opening,
  work: (session: Session, own: string) => Promise<T>,
): Promise<T> {
  const { settings } = at
  // Loaded where there is such a target, and only then: it brings a third of all that we ship.
  const { default: nodeVault } = await import('node-vault')
  const transport = createTransport(settings, signal)
  const client = nodeVault({
    // A list is asked for with GET: LIST is a method that not every proxy lets through.
    ...{ endpoint: settings.address, debug: () => undefined, noCustomHTTPVerbs: true },
    'request-promise': { defaults: () => (call: Call) => transport.send(call) },
  })
  client.token = ''
  const session: Session = {
    async call(method, path, data = {}) {
      signal.throwIfAborted()
      try {
        const answer: unknown =
          method === 'write' ? await client.write(path, data) : await client[method](path)
        return Answer.parse(answer ?? {})
      } catch (error) {
        throw blurred(error)
      }
    },
    async wrap(data, seconds) {
      transport.wrapSeconds = seconds
      try {
        return await session.call('write', 'sys/wrapping/wrap', data)
      } finally {
        transport.wrapSeconds = null
      }
    },
    become(token) {
      transport.token = token
    },
  }
  const loggedIn: { own?: string } = {}
  try {
    const own = await secrets.use(at.name, (secret) => login(session, settings, secret), at.lease)
    if (settings.auth.method !== 'token') loggedIn.own = own
    session.become(own)
    return await work(session, own)
  } finally {
    if (loggedIn.own !== undefined) await logOut(session, loggedIn.own)
    transport.close()
  }
}

/** A token that nobody hears of ends by its time; so does this one where Vault does not answer at once. */
async function logOut(session: Session, own: string): Promise<void> {
  session.become(own)
  await atMost(LOG_OUT_MS, [session.call('write', 'auth/token/revoke-self')])
}

async function login(session: Session, { auth }: Settings, secret: Secret): Promise<string> {
  if (auth.method === 'token') return secret.reveal()
  const { auth: made } = await session.call(
    'write',
    `auth/${auth.mount}/login`,
    auth.method === 'approle'
      ? { role_id: auth.role_id, secret_id: secret.reveal() }
      : { role: auth.role, jwt: secret.reveal() },
  )
  if (!made) throw new Error('Vault answered a login without a token')
  return made.client_token
}

const ServersNo = z.object({
  response: z.object({
    statusCode: z.number(),
    body: z.object({ errors: z.array(z.string()) }).catch({ errors: [] }),
  }),
})

/** What went wrong, without a word of the server's or the client's. */
function blurred(error: unknown): Error {
  const no = ServersNo.safeParse(error)
  if (no.success) {
    const { statusCode, body } = no.data.response
    return new Refused(statusCode, body.errors)
  }
  if (error instanceof DOMException || error instanceof Refused) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
  const message = `Vault: ${/^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no answer that we know'}`
  return isBroken(error) || code === 'ABORT_ERR' ? new Silent(message) : new Error(message)
}
