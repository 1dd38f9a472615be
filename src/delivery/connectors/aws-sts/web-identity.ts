/** Who the broker is, told to an STS that trusts its issuer: where that suffices, no key of AWS is stored. */
import type { Clock } from '../../../domain/clock.ts'
import type { JsonObject } from '../../../domain/json.ts'
import { type Signer, signToken } from '../../../domain/jws.ts'
import { Secret } from '../../../domain/secret.ts'
import { NoEffect } from '../../connector.ts'
import type { Settings } from './settings.ts'

/** It is shown at once, and once; clocks differ, and what was said in the future is refused. */
const [SECONDS_BEFORE, SECONDS_AFTER] = [20, 40]
/** AWS's own name for itself, which a provider in IAM has where it has no other. */
const AUDIENCE = 'sts.amazonaws.com'

export interface Speaker {
  /** Signs what the broker says of itself, with the keys that minted tokens have; `null`: nobody does. */
  readonly identity: Signer | null
  readonly clock: Clock
}

/**
 * A token that says that this broker asks, on behalf of one target. A trust policy that demands its
 * `sub` is that of one role: what is said for one target opens no other, nor what ends its sessions.
 *
 * @throws NoEffect when no key signs now, or none of a kind that STS takes
 */
export async function identityToken(
  { identity, clock }: Speaker,
  claims: JsonObject,
): Promise<Secret> {
  if (identity?.keys[0].alg !== 'ES256') throw new NoEffect('STS takes no key but ES256')
  const now = Math.floor(clock().getTime() / 1000)
  const times = { iat: now - SECONDS_BEFORE, exp: now + SECONDS_AFTER }
  const signed = signToken('identity', { ...claims, ...times }, identity)
  const token = await signed.catch((cause: unknown) => {
    throw new NoEffect('nobody signs what we say to STS', { cause })
  })
  return new Secret(token)
}

/** As a trust policy is to demand it: of whoever makes sessions, and of whoever ends them. */
export const subjectOf = (target: string) => `procura:${target}`
export const revokerOf = (target: string) => `${subjectOf(target)}:revoker`

export const audienceOf = ({ audience = AUDIENCE }: Pick<Settings, 'audience'>) => audience

export interface Marks {
  readonly SourceIdentity: string
  readonly Tags: { readonly Key: string; readonly Value: string }[]
  readonly TransitiveTagKeys: string[]
}

/** What `AssumeRole` has as parameters is said in the token here. */
export function marksAsClaims({ SourceIdentity, Tags, TransitiveTagKeys }: Marks): JsonObject {
  return {
    'https://aws.amazon.com/tags': {
      principal_tags: Object.fromEntries(Tags.map(({ Key, Value }) => [Key, [Value]])),
      transitive_tag_keys: TransitiveTagKeys,
    },
    'https://aws.amazon.com/source_identity': SourceIdentity,
  }
}
