/** The same as middleware: what comes after it is a call that was allowed, and is spent. */
import type { JsonObject } from '../domain/json.ts'
import type { CredentialKeys } from './keys.ts'
import type { Redeem } from './redeem.ts'
import { challenge, type Refusal } from './refusal.ts'
import { type Shown, verifyCredential } from './verify.ts'

/** What it uses of Express's request and answer; no more, so that it needs no Express. */
interface Request {
  readonly method: string
  readonly originalUrl: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Read by `express.json()`, which comes before it. */
  readonly body: unknown
}
interface Answer {
  readonly locals: Record<string, unknown>
  readonly headersSent: boolean
  status(code: number): this
  set(name: string, value: string): this
  type(name: string): this
  json(body: object): unknown
}

export interface ExpressOptions {
  readonly issuer: string
  readonly audience: string
  /** Where callers reach this service: `https://payments.example`. */
  readonly origin: string
  readonly tool: string
  readonly keys: CredentialKeys
  readonly isFirst: Shown['isFirst']
  readonly redeem: Redeem
  /** The arguments of the call, from what was received; left out, they are the body. */
  readonly args?: (req: Request) => JsonObject
  readonly clock?: () => Date
}

/** Puts what was redeemed in `res.locals.procura`; a refusal is answered here and goes no further. */
export function expressProcura(options: ExpressOptions) {
  return (req: Request, res: Answer, next: (error?: unknown) => void): void => {
    admit(options, req)
      .then((admitted) => {
        // Whoever answered meanwhile, for it took too long, has given the call up.
        if (res.headersSent) return
        if (!admitted.ok) {
          answer(res, admitted)
          return
        }
        res.locals['procura'] = admitted.redemption
        next()
      })
      .catch((error: unknown) => {
        if (!res.headersSent) next(error)
      })
  }
}

async function admit(options: ExpressOptions, req: Request) {
  const { origin, tool, redeem, args = argsIn, clock = () => new Date(), ...shared } = options
  const verified = await verifyCredential({
    ...{ ...shared, tool, method: req.method, url: origin + req.originalUrl, now: clock() },
    ...{ token: tokenIn(req.headers['authorization']), proof: one(req.headers['dpop']) },
    args: args(req),
  })
  return verified.ok ? await redeem(verified, tool) : verified
}

function answer(res: Answer, refusal: Refusal): void {
  const { status, code, reason, fix } = refusal
  const asks = challenge(refusal)
  if (asks !== null) res.set('WWW-Authenticate', asks)
  res.status(status).set('Cache-Control', 'no-store').type('application/problem+json')
  res.json({ status, title: 'This call is not served', code, reason, fix })
}

const argsIn = ({ body }: Request) => (body ?? {}) as JsonObject
const one = (value: string | string[] | undefined) => (typeof value === 'string' ? value : null)
const tokenIn = (value: string | string[] | undefined) =>
  /^DPoP +(\S+)$/i.exec(one(value) ?? '')?.[1] ?? null
