/** The token that a call is made with, however its target's is got: kept, or for this call alone. */
import { digestOf } from '../../domain/digest.ts'
import type { Clock } from '../../domain/clock.ts'
import type { Signer } from '../../domain/jws.ts'
import type { Intent } from '../../domain/lease.ts'
import { type Grant, grantOf, type Inject, isItself } from '../connectors/http/settings.ts'
import { byCredentials, byExchange, byRefreshToken } from './grants.ts'
import { createKeptTokens, type Keeping } from './kept-token.ts'
import type { Renewal } from './refreshing.ts'
import { subjectToken } from './subject.ts'
import {
  askForToken,
  NoToken,
  pairOf,
  type Question,
  type TokenEndpoint,
} from './token-endpoint.ts'

export interface TokensOptions extends Keeping {
  /** Signs what is exchanged. */
  readonly credentials: Signer
  readonly clock: Clock
}

export interface Asked {
  readonly grant: Grant
  readonly intent: Intent
  /** The stored secret of the target. */
  readonly secret: string
  readonly endpoint: () => Promise<TokenEndpoint>
  readonly signal: AbortSignal
}

export interface Token {
  readonly token: string
  /** What else must not come back. */
  readonly others: readonly string[]
  /** The target does not take it. Never throws. */
  readonly notTaken: () => Promise<void>
}

export interface Tokens {
  /** @throws BrokerError `credential_gone`, `downstream_failed`; NoToken; the signal's reason */
  tokenFor(asked: Asked): Promise<Token>
  /**
   * Asks nobody out there. @throws BrokerError `downstream_failed`, `authorization_over`, where an operator has to
   * act first; `unavailable` `keys` where nobody signs what is exchanged
   */
  check(inject: Inject, intent: Intent): Promise<void>
  /** Resolves when nothing is asked for any more whose answer has to be stored. */
  settled(): Promise<void>
}

export function createTokens(options: TokensOptions): Tokens {
  const { credentials, clock } = options
  const kept = createKeptTokens(options)

  async function fromKept(asked: Asked, question: (...of: Stored) => Renewal): Promise<Token> {
    const { intent, grant, endpoint, secret, signal } = asked
    const of = { target: intent.target, lease: intent.downstreamName }
    const wanted = { ...of, settings: settingsOf(grant), endpoint, question }
    const { token, refreshToken, notTaken } = await kept.tokenFor(wanted, signal)
    // The one that was stored is looked for as well: some servers take it again.
    const others = [refreshToken, null].flatMap((it) => secretsOf(question(secret, it)))
    return { token, others, notTaken }
  }

  async function once({ endpoint, signal }: Asked, question: Question): Promise<Token> {
    const { token } = await askForToken(await endpoint(), question, signal)
    if (token === null) throw new NoToken('the token endpoint gave no bearer token', 'none')
    return { token, others: secretsOf(question), notTaken: () => Promise.resolve() }
  }

  return {
    async tokenFor(asked) {
      const { grant, intent, secret } = asked
      switch (grant.kind) {
        case 'refresh_token':
          return await fromKept(asked, (...of) => byRefreshToken(grant, ...of))
        case 'client_credentials':
          return grant.keep
            ? await fromKept(asked, (own) => ({ ...byCredentials(grant, own), refreshToken: null }))
            : await once(asked, byCredentials(grant, secret))
        case 'token_exchange': {
          const audience = grant.subject_audience ?? grant.token_url
          const subject = await subjectToken(intent, audience, credentials, clock())
          return await once(asked, byExchange(grant, secret, subject))
        }
      }
    },
    async check(inject, { target, downstreamName: lease }) {
      if (isItself(inject)) return
      if ('token_exchange' in inject) await credentials.keys[0].inToken?.look()
      if (!('refresh_token' in inject)) return
      await kept.check({ target, lease, settings: settingsOf(grantOf(inject)) })
    },
    settled: () => kept.settled(),
  }
}

type Stored = readonly [secret: string, current: string | null]

/** Whether a call may need no answer of the token endpoint. */
export const isKept = (inject: Inject): boolean => {
  if (isItself(inject)) return false
  const grant = grantOf(inject)
  return grant.kind === 'refresh_token' || (grant.kind === 'client_credentials' && grant.keep)
}

/** What is shown to the token endpoint, and in what form. */
function secretsOf({ client, form }: Question): string[] {
  const shown = [client.secret, form['refresh_token'], form['subject_token']]
  const texts = shown.filter((it) => typeof it === 'string')
  return client.by === 'basic' ? [...texts, pairOf(client)] : texts
}

/** Tokens that are asked for with one of these differently are not the same. */
function settingsOf(grant: Grant): string {
  const { kind, token_url, client_id, scope = null } = grant
  const audience = 'audience' in grant ? (grant.audience ?? null) : null
  return digestOf({ kind, token_url, client_id, scope, audience })
}
