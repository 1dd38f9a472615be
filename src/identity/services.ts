/** Targets and gateways: each names itself with an assertion under its registered key (§2.6). */
import type { Clock } from '../domain/clock.ts'
import { sha256 } from '../domain/digest.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { JwsError } from '../domain/jws.ts'
import { ProvenService } from '../domain/person.ts'
import type { Presented } from '../domain/request.ts'
import { readVerifyKey, type VerifyKey } from './jwks.ts'
import { credentialsIn, refusing } from './refusals.ts'
import type { ReplayStore } from './replay.ts'
import { type Kind, SKEW_SECONDS, type ThirdParty, verifyThirdParty } from './third-party.ts'

const SERVICE: Kind = {
  algorithms: ['ES256', 'Ed25519', 'EdDSA', 'RS256', 'PS256'],
  types: [null, 'JWT', 'client-authentication+jwt'],
  audiences: 'only',
}
const LIFE_SECONDS = 60

export interface ServiceSettings {
  readonly name: string
  /** What it answers for. */
  readonly audience: string
  readonly jwk: Readonly<Record<string, unknown>>
}

export interface ServicesOptions {
  readonly issuer: string
  readonly services: readonly ServiceSettings[]
  readonly replay: ReplayStore
  readonly clock: Clock
}

export interface Services {
  /**
   * @param assertion the form's `client_assertion` at /oauth/*; left out, it is the Bearer token
   * @throws BrokerError `invalid_client` or `invalid_token`, or `unavailable`
   */
  service(presented: Presented, assertion?: string | null): Promise<ProvenService>
}

/** @throws TypeError at start, for a registered key that is not fit to verify with */
export function createServices(options: ServicesOptions): Services {
  const registered = new Map(options.services.map((settings) => [settings.name, fit(settings)]))

  async function prove(presented: Presented, token: string | null): Promise<ProvenService> {
    if (token === null) throw new JwsError('no_assertion')
    const now = options.clock()
    const named = ({ iss }: JsonObject) =>
      typeof iss === 'string' ? registered.get(iss) : undefined
    const keyFor = (claims: JsonObject) => Promise.resolve(named(claims)?.key ?? null)
    const verifying = { kind: SERVICE, audience: options.issuer, keyFor, now }
    const verified = await verifyThirdParty(token, verifying)
    const service = named(verified.claims)
    if (service === undefined) throw new JwsError('iss')
    const jti = checkClaims(verified, presented.body)
    const until = new Date(verified.expiresAt.getTime() + SKEW_SECONDS * 1000)
    if (!(await options.replay.useUp(`service:${service.name}`, jti, until))) {
      throw new JwsError('jti_replay')
    }
    return ProvenService.proven(service.name, service.audience, verified.tokenHash)
  }

  return {
    async service(presented, assertion) {
      const token = assertion ?? credentialsIn(presented.authorization, 'Bearer')
      const code = presented.face === 'oauth' ? 'invalid_client' : 'invalid_token'
      return await refusing(code, () => prove(presented, token))
    },
  }
}

/** The id that is used up. Identity, life and body are what §2.6 asks for. */
function checkClaims({ claims }: ThirdParty, body: Uint8Array): string {
  const { iss, sub, iat, exp, jti, body_sha256: bound } = claims
  if (sub !== iss) throw new JwsError('sub')
  if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > LIFE_SECONDS) {
    throw new JwsError('exp')
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > 256) throw new JwsError('jti')
  if (bound !== undefined && bound !== sha256(body)) throw new JwsError('body_sha256')
  return jti
}

function fit({ name, audience, jwk }: ServiceSettings) {
  const key: VerifyKey | null = readVerifyKey(jwk as unknown as Json)
  if (key === null) throw new TypeError(`The key of the service ${name} is not fit to verify with`)
  return { name, audience, key }
}
