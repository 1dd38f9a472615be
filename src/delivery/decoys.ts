/** Decoys: whoever is shown one notes it, and answers as for any credential that is over. */
import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { sha256 } from '../domain/digest.ts'
import { type AgentId, type CredentialId, newId, type PersonId } from '../domain/ids.ts'
import { type Signer, signToken } from '../domain/jws.ts'
import { Secret } from '../domain/secret.ts'

export interface Noting {
  readonly tenant: string
  /** Of the front or of the delivering role: neither is told whether it was one. */
  readonly pool: Pick<Pool, 'query'>
}

/**
 * What a token is known by: all that is signed, and not the signature, of which there is more than one
 * that verifies. Two values of 256 random bits are in it: to have it is to have found it.
 */
const knownBy = (token: string) => sha256(token.slice(0, token.lastIndexOf('.')))

/**
 * To be called for every token that is not live. It counts whichever key it was signed with, and whether
 * that key is still there.
 *
 * @throws BrokerError `unavailable`: what could not be noted is not answered
 */
export async function noteShown({ tenant, pool }: Noting, token: string): Promise<void> {
  await ask(pool, {
    name: 'canary_shown',
    text: 'select procura.canary_shown($1, $2)',
    values: [tenant, knownBy(token)],
  })
}

/**
 * To be called for every id that is no lease's, with the agent that has proven to ask for it: anybody
 * may have read an id somewhere, and must not harm its holder with it.
 *
 * @throws BrokerError `unavailable`
 */
export async function noteCalled(
  { tenant, pool }: Noting,
  id: CredentialId,
  agent: AgentId,
): Promise<void> {
  await ask(pool, {
    name: 'canary_called',
    text: 'select procura.canary_called($1, $2, $3)',
    values: [tenant, id, agent],
  })
}

export interface DecoyTerms {
  readonly sponsor: PersonId
  readonly agent: AgentId
  readonly audience: string
  readonly tool: string
  readonly purpose: string
  readonly seconds: number
}

export interface Decoy {
  readonly id: CredentialId
  readonly token: Secret
  readonly expiresAt: Date
}

export interface Planting {
  readonly kind: 'agent' | 'sponsor'
  /** Who is frozen. */
  readonly holder: string
  /** Tells where it lies. */
  readonly label: string
}

/** Before it is handed out: what shows it is noted from now on. */
export async function plant(
  { tenant, pool }: Noting,
  { id, token, expiresAt }: Decoy,
  { kind, holder, label }: Planting,
): Promise<void> {
  await ask(pool, {
    text: `insert into procura.canary
             (tenant, id, token_hash, holder_kind, holder, label, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [tenant, id, knownBy(token.reveal()), kind, holder, label, expiresAt.toISOString()],
  })
}

/**
 * A token as `connectors/jwt.ts` mints them, of no lease, for no call that there is and bound to a key
 * that nobody has: whoever asks us, or checks the proof or the arguments, refuses it.
 */
export async function makeDecoy(signer: Signer, terms: DecoyTerms, now: Date): Promise<Decoy> {
  const { sponsor, agent, audience, tool, purpose, seconds } = terms
  const id = newId('crd', now)
  const iat = Math.floor(now.getTime() / 1000)
  const nobodys = () => sha256(randomBytes(32))
  const call = { type: 'tool_call', tool, args_hash: nobodys(), purpose, max_uses: 1 }
  const claims = {
    ...{ sub: sponsor, aud: audience, client_id: agent, iat, exp: iat + seconds, jti: id },
    act: { iss: signer.issuer, sub: agent, sub_profile: 'ai_agent' },
    cnf: { jkt: nobodys() },
    authorization_details: [{ ...call, locations: [audience] }],
  }
  const token = new Secret(await signToken('credential', claims, signer))
  return { id, token, expiresAt: new Date((iat + seconds) * 1000) }
}
