/** Plants decoys, and lists them: signed like any credential, on nobody's record but their table's. */
import { join } from 'node:path'
import type { Pool } from 'pg'
import { type Decoy, makeDecoy, plant } from '../delivery/decoys.ts'
import { type AgentId, type CredentialId, isId, newId, type PersonId } from '../domain/ids.ts'
import type { Signer } from '../domain/jws.ts'
import { holdsPrivate, readSet } from '../key-files.ts'
import { readKeyFile } from '../keys.ts'
import { orReason, tokenOf, type TokenPlace } from '../token.ts'
import { poolFor, type WithDatabase } from './database.ts'
import { CommandError, EXIT } from './exit.ts'

type At = Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'keysDir'> & Pick<TokenPlace, 'signerToken'>

export interface Wanted {
  readonly issuer: string
  /** `agt_` or `spn_`: who is frozen. */
  readonly holder: string
  readonly audience: string
  readonly tool: string
  readonly purpose: string
  readonly label: string
  readonly seconds: number
}

/** @throws CommandError when nobody is called so, or this folder's keys sign no credentials */
export async function plantDecoy(at: At, wanted: Wanted, now: Date): Promise<Decoy> {
  const { issuer, audience, tool, purpose, label, seconds } = wanted
  const signer = await signerOf(at, issuer, now)
  return await withPool(at, async (pool) => {
    const holder = await holderOf(pool, at.tenant, wanted.holder)
    const { sponsor, agent = newId('agt', now) } = holder
    const terms = { sponsor, agent, audience, tool, purpose, seconds }
    const decoy = await orReason(makeDecoy(signer, terms, now))
    const place = { kind: holder.kind, holder: wanted.holder, label }
    await plant({ tenant: at.tenant, pool }, decoy, place)
    return decoy
  })
}

export interface DecoyRow extends Record<string, unknown> {
  readonly id: CredentialId
  readonly holder: AgentId | PersonId
  readonly label: string
  readonly planted_at: Date
  readonly expires_at: Date
  readonly seen_at: Date | null
  readonly tripped_event: string | null
}

/** Newest first. */
export async function decoysIn(at: At): Promise<DecoyRow[]> {
  return await withPool(at, async (pool) => {
    const { rows } = await pool.query<DecoyRow>(
      `select id, holder, label, planted_at, expires_at, seen_at, tripped_event
       from procura.canary where tenant = $1 order by planted_at desc, id desc`,
      [at.tenant],
    )
    return rows
  })
}

/** The delivering side's folder has them; the other side's has their public half. */
async function signerOf(at: At, issuer: string, now: Date): Promise<Signer> {
  const text = await readKeyFile(join(at.keysDir, 'credentials.json'), () => undefined)
  if (!holdsPrivate(text, 'credentials')) {
    const fix = 'name the folder of the side that delivers with PROCURA_KEYS'
    throw new CommandError(`credentials are not signed with this folder: ${fix}`, EXIT.usage)
  }
  return { issuer, keys: readSet(text, 'credentials', now, tokenOf(at)?.signers) }
}

interface Holder {
  readonly kind: 'agent' | 'sponsor'
  readonly sponsor: PersonId
  readonly agent?: AgentId
}

async function holderOf(pool: Pool, tenant: string, id: string): Promise<Holder> {
  const text = isId('agt', id)
    ? `select sponsor from procura.agent where tenant = $1 and id = $2 and status = 'active'`
    : `select id as sponsor from procura.person where tenant = $1 and id = $2`
  const { rows } = await pool.query<{ sponsor: PersonId }>(text, [tenant, id])
  const [found] = rows
  if (found === undefined) throw new CommandError(`there is no ${id}`, EXIT.usage)
  const { sponsor } = found
  return isId('agt', id) ? { kind: 'agent', sponsor, agent: id } : { kind: 'sponsor', sponsor }
}

async function withPool<T>(at: At, work: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = poolFor(at, 'procura_front')
  try {
    return await work(pool)
  } finally {
    await pool.end()
  }
}
