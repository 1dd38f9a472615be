/** Access tokens for services that accept ours (RFC 9068): bound to a key, to one call, spent once. */
import { z } from 'zod'
import type { JsonObject } from '../../domain/json.ts'
import { type Signer, signToken } from '../../domain/jws.ts'
import type { Intent, Issued } from '../../domain/lease.ts'
import { Secret } from '../../domain/secret.ts'
import { type Connector, NoEffect } from '../connector.ts'

const Settings = z.strictObject({ audience: z.string().min(1).max(256) })
type Settings = z.infer<typeof Settings>

/** What the broker alone sets. The catalogue refuses these too; a claim has two guards. */
const RESERVED = new Set([
  ...['iss', 'sub', 'aud', 'client_id', 'act', 'iat', 'nbf', 'exp', 'jti', 'cnf'],
  ...['authorization_details', 'scope'],
])
const Claims = z
  .record(z.string(), z.json())
  .refine((claims) => Object.keys(claims).every((name) => !RESERVED.has(name)), 'reserved')
const Permissions = z.strictObject({ audience: z.string(), claims: Claims.optional() })
type Permissions = z.infer<typeof Permissions>

/**
 * Nothing is made outside: a token counts while its lease is active, which introspection and
 * redemption ask. Whoever accepts it without asking accepts it until its `exp`.
 */
export function jwt(signer: Signer): Connector<Settings, Permissions> {
  return {
    name: 'jwt',
    model: 'mint',
    revocation: 'immediate',
    spending: 'enforced',
    senderConstraint: 'dpop',
    isAtTarget: false,
    ttlSecondsMin: 1,
    settings: Settings,
    permissions: Permissions,
    audienceOf: ({ audience }) => audience,
    issue: (intent, { settings }, permissions) => mint(intent, settings, permissions, signer),
    revoke: () => Promise.resolve({ found: false }),
    listOwn: () => Promise.resolve([]),
  }
}

async function mint(
  intent: Intent,
  { audience }: Settings,
  permissions: Permissions,
  signer: Signer,
): Promise<Issued> {
  // Rules are written about the audience that the tool declares; the target must be that one.
  if (permissions.audience !== audience) throw new NoEffect('the grant is for another audience')
  const claims: JsonObject = {
    ...(permissions.claims as JsonObject | undefined),
    ...claimsOf(intent, audience),
  }
  const token = await signToken('credential', claims, signer).catch((cause: unknown) => {
    throw new NoEffect('nothing could be signed', { cause })
  })
  return {
    kind: 'jwt',
    credential: { token: new Secret(token), token_type: 'DPoP' },
    expiresAt: new Date(seconds(intent.expiresAt) * 1000),
  }
}

function claimsOf(intent: Intent, audience: string): JsonObject {
  const { tool, argsHash, purpose } = intent
  const call = { type: 'tool_call', tool, args_hash: argsHash, purpose, max_uses: 1 }
  return {
    ...{ sub: intent.sponsor, aud: audience, client_id: intent.agent, act: intent.act },
    ...{ iat: seconds(intent.issuedAt), exp: seconds(intent.expiresAt), jti: intent.lease },
    cnf: { jkt: intent.jkt },
    authorization_details: [{ ...call, locations: [audience] }],
  }
}

/** Rounded down, so that a token never outlives its lease. */
const seconds = (time: Date) => Math.floor(time.getTime() / 1000)
