/** Changes a set of keys: under a lock, on record before it is in the file, and then all at once. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { digestOf } from '../domain/digest.ts'
import { newId } from '../domain/ids.ts'
import { bySystem } from '../domain/request.ts'
import { readSet, refuseNotInToken, type SetName } from '../key-files.ts'
import { publicJwks, stageKeyFile } from '../keys.ts'
import { createLog } from '../ledger/log.ts'
import { NOTHING_TO_SEAL } from '../ledger/sealed.ts'
import {
  isLastInToken,
  keyInToken,
  type KeyState,
  statesOf,
  withNewKey,
  withoutEnded,
} from '../rotation.ts'
import { orReason, tokenOf } from '../token.ts'
import { poolFor, type WithDatabase } from './database.ts'
import { CommandError, EXIT } from './exit.ts'

type At = Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'keysDir' | 'signerToken'>
export type Place = 'file' | 'token'

/** Apart from the locks of the log, its signer, the migrations and targets. */
const LOCK = 6971

export interface Announced {
  readonly kid: string
  readonly place: Place
  readonly signsFrom: Date
}

/**
 * Puts a new key into a set, to sign in so many seconds. May be killed at any moment: the file is the
 * old one or the new one, and what was recorded and did not come about is recorded again by the next.
 *
 * @param how `to`: where it is made; left out, where the last one is
 * @throws KeyError when the file is not one of private keys, or has to have all of its own; TokenProblem
 */
export async function rotateSet(
  at: At,
  name: SetName,
  { seconds, to }: { readonly seconds: number; readonly to?: Place | undefined },
): Promise<Announced> {
  return await changing(at, async (pool, now) => {
    const path = join(at.keysDir, `${name}.json`)
    const before = await readFile(path, 'utf8')
    readSet(before, name)
    const place = to ?? (isLastInToken(before, name) ? 'token' : 'file')
    const made = place === 'token' ? await inToken(at, name) : undefined
    const signsFrom = new Date(now.getTime() + seconds * 1000)
    const { text, ...announced } = withNewKey(before, name, signsFrom, made)
    await change({ ...at, pool, name, path, before, text }, [announced.kid], 'rotated')
    return { ...announced, place }
  })
}

/** A pair of which no file ever knows, should this be killed, is of no use to anybody. */
async function inToken(at: At, name: SetName) {
  refuseNotInToken(name)
  const signers = tokenOf(at)?.signers ?? null
  if (signers === null) throw new CommandError('this needs PROCURA_SIGNER', EXIT.usage)
  return keyInToken(name, await orReason(signers.make(`procura-${name}`)))
}

export interface Pruned {
  readonly gone: readonly string[]
  /** What names the private halves that are still in a token. */
  readonly left: readonly string[]
}

/** Takes out of a set what ended. @throws KeyError */
export async function pruneSet(at: At, name: SetName): Promise<Pruned> {
  return await changing(at, async (pool, now) => {
    const path = join(at.keysDir, `${name}.json`)
    const before = await readFile(path, 'utf8')
    const { text, gone, left } = withoutEnded(before, name, now)
    if (gone.length > 0) await change({ ...at, pool, name, path, before, text }, gone, 'retired')
    return { gone, left }
  })
}

/** Of each key of a set, what it is for now, by the clock of the database. @throws KeyError */
export async function statesIn(at: At, name: SetName): Promise<KeyState[]> {
  return await changing(at, async (_pool, now) =>
    statesOf(await readFile(join(at.keysDir, `${name}.json`), 'utf8'), name, now),
  )
}

/** One at a time, over everybody who has this database; whoever is killed gives way. */
async function changing<T>(at: At, work: (pool: Pool, now: Date) => Promise<T>): Promise<T> {
  const pool = poolFor(at, 'procura_front')
  try {
    const holder = await pool.connect()
    try {
      await holder.query('select pg_advisory_lock($1, hashtext($2))', [LOCK, at.tenant])
      const { rows } = await holder.query<{ now: Date }>('select clock_timestamp() as now')
      const [row] = rows
      if (row === undefined) throw new Error('the database did not tell its time')
      return await work(pool, row.now)
    } finally {
      holder.release(true)
    }
  } finally {
    await pool.end()
  }
}

interface Change {
  readonly tenant: string
  readonly pool: Pool
  readonly name: SetName
  readonly path: string
  readonly before: string
  readonly text: string
}

async function change(
  { tenant, pool, name, path, before, text }: Change,
  kids: readonly string[],
  reasonCode: string,
): Promise<void> {
  const putInPlace = await stageKeyFile(path, text)
  const log = createLog({
    ...{ tenant, pool, door: 'append_registered', sealer: NOTHING_TO_SEAL },
  })
  const hashes = { beforeHash: hashOf(before, name), afterHash: hashOf(text, name) }
  await log.record(null, (tx) => {
    const entries = kids.map((kid) => ({
      ...({ type: 'admin_change', kind: 'key', name: kid, ...hashes, reasonCode } as const),
      ...{ act: bySystem('keys'), eventId: newId('evt', tx.now) },
    }))
    return Promise.resolve({ entries, value: null, answer: null })
  })
  await putInPlace()
}

/** Of what is published of a set, in the order of its file. */
const hashOf = (text: string, name: SetName) => digestOf(publicJwks(readSet(text, name)))
