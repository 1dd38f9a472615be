/** A minted token as a target presents it: read here, believed only while its lease is live. */
import type { Pool } from 'pg'
import { z } from 'zod'
import { ask } from '../db/ask.ts'
import { type AgentId, type CredentialId, isId, type PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { JwsError, objectIn, octetsOf, readToken, type Verifier } from '../domain/jws.ts'
import type { ProvenService } from '../domain/person.ts'
import { noteShown } from './decoys.ts'
import { STANDS } from './leases.ts'

/** What we need of what `connectors/jwt.ts` puts in. */
const Minted = z.object({
  jti: z.custom<CredentialId>((value) => typeof value === 'string' && isId('crd', value)),
  exp: z.int(),
  cnf: z.object({ jkt: z.string() }),
  authorization_details: z.tuple([z.object({ tool: z.string(), args_hash: z.string() })]),
})

export interface MintedToken {
  readonly id: CredentialId
  readonly expiresAt: Date
  readonly jkt: string
  readonly tool: string
  readonly argsHash: string
  readonly claims: JsonObject
}

/** `null`: not ours, altered, or for somebody else. Whether it is over, the database knows. */
export function readMinted(
  verifier: Verifier,
  { audience }: Pick<ProvenService, 'audience'>,
  token: string,
): MintedToken | null {
  try {
    const { claims } = readToken('shown', token, verifier, { now: new Date(0), audience })
    const { jti, exp, cnf, authorization_details } = Minted.parse(claims)
    const [{ tool, args_hash: argsHash }] = authorization_details
    return { id: jti, expiresAt: new Date(exp * 1000), jkt: cnf.jkt, tool, argsHash, claims }
  } catch (error) {
    if (error instanceof JwsError) return null
    throw error
  }
}

/** The live one that this token is, of that agent or for that audience; `null` for everything else. */
export async function mintedFor(
  minting: Minting,
  of: MintedOf,
  token: string,
): Promise<MintedLease | null> {
  const found = await liveMinted(minting, of, token)
  if (found === null) await noteShown(minting, token)
  return found
}

type MintedOf = { readonly audience: string } | { readonly agent: AgentId }
interface MintedLease {
  readonly id: CredentialId
  readonly sponsor: PersonId
}

async function liveMinted(
  { tenant, pool, credentials }: Minting,
  of: MintedOf,
  token: string,
): Promise<MintedLease | null> {
  const audience = 'audience' in of ? of.audience : audienceIn(token)
  const minted = audience === null ? null : readMinted(credentials, { audience }, token)
  if (minted === null) return null
  const [row] = await ask<{ sponsor: PersonId }>(pool, {
    name: 'lease_of_token',
    text: `select sponsor from procura.lease
           where tenant = $1 and id = $2 and audience = $3 and due_at is not null
             and ($4::text is null or agent = $4)`,
    values: [tenant, minted.id, audience, 'agent' in of ? of.agent : null],
  })
  return row === undefined ? null : { id: minted.id, sponsor: row.sponsor }
}

export interface Minting {
  readonly tenant: string
  /** Of the front, which writes neither leases nor decisions. */
  readonly pool: Pick<Pool, 'query'>
  readonly credentials: Verifier
}

/**
 * The claims of a live credential of this service's audience; `null` for everything else, also for what
 * is well signed and nobody decided. Spends nothing.
 */
export async function introspect(
  minting: Minting,
  service: ProvenService,
  token: string,
): Promise<JsonObject | null> {
  const minted = readMinted(minting.credentials, service, token)
  if (minted !== null && (await isLive(minting, service, minted))) {
    return { ...minted.claims, token_type: 'DPoP' }
  }
  await noteShown(minting, token)
  return null
}

/** For whom it says it is: its holder need not know. Whether that is true, its signature tells. */
function audienceIn(token: string): string | null {
  try {
    const { aud } = objectIn(octetsOf(token.split('.')[1] ?? '', 'format'), 'format')
    return typeof aud === 'string' ? aud : null
  } catch (error) {
    if (error instanceof JwsError) return null
    throw error
  }
}

/** Read on the primary, each time; nothing is kept that could go stale. */
async function isLive(
  { tenant, pool }: { tenant: string; pool: Pick<Pool, 'query'> },
  { audience }: ProvenService,
  { id, expiresAt }: MintedToken,
): Promise<boolean> {
  const rows = await ask(pool, {
    name: 'lease_live',
    text: `select from procura.lease l
           where l.tenant = $1 and l.id = $2 and l.audience = $3 and l.state = 'active'
             and least(l.expires_at, $4) > clock_timestamp()
             and exists (select from procura.decision d where d.tenant = l.tenant
               and d.id = l.decision_id and d.answer = 'allow' and d.credential = l.id)
             and ${STANDS}`,
    values: [tenant, id, audience, expiresAt],
  })
  return rows.length === 1
}
