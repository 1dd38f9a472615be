/** Changes a set of keys: under a lock, on record before it is in the file, and then all at once. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { isOutage } from '../db/outage.ts'
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

/** Brokers look every two seconds (docs/rotation.md), and then they read it. */
const READ_MS = 3000

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
 * @throws KeyError when the file is not one of private keys, or has to have all of its own; TokenProblem;
 *   CommandError when it took so long that brokers might not have read the key when it is to sign
 */
export async function rotateSet(
  at: At,
  name: SetName,
  { seconds, to }: { readonly seconds: number; readonly to?: Place | undefined },
): Promise<Announced> {
  return await changing(at, async (held) => {
    const path = join(at.keysDir, `${name}.json`)
    const before = await readFile(path, 'utf8')
    readSet(before, name)
    const place = to ?? (isLastInToken(before, name) ? 'token' : 'file')
    const made = place === 'token' ? await inToken(at, name) : undefined
    // By now: to make one in a token may take a minute.
    const wanted = new Date((await held.now()).getTime() + seconds * 1000)
    const { text, kid, signsFrom } = withNewKey(before, name, wanted, made)
    const what = { tenant: at.tenant, kids: [kid], reasonCode: 'rotated', signsFrom }
    await change(held, { ...what, name, path, before, text })
    return { kid, signsFrom, place }
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
  return await changing(at, async (held) => {
    const path = join(at.keysDir, `${name}.json`)
    const before = await readFile(path, 'utf8')
    const { text, gone, left } = withoutEnded(before, name, await held.now())
    const what = { tenant: at.tenant, kids: gone, reasonCode: 'retired', signsFrom: null }
    if (gone.length > 0) await change(held, { ...what, name, path, before, text })
    return { gone, left }
  })
}

/** Of each key of a set, what it is for now, by the clock of the database. @throws KeyError */
export async function statesIn(at: At, name: SetName): Promise<KeyState[]> {
  return await changing(at, async ({ now }) =>
    statesOf(await readFile(join(at.keysDir, `${name}.json`), 'utf8'), name, await now()),
  )
}

interface Held {
  readonly pool: Pool
  /** The database's time, asked on the connection that has the lock. */
  readonly now: () => Promise<Date>
}

/** One at a time, over everybody who has this database; whoever is killed gives way. */
async function changing<T>(at: At, work: (held: Held) => Promise<T>): Promise<T> {
  const pool = poolFor(at, 'procura_front')
  try {
    const holder = await pool.connect()
    const now = async () => {
      const { rows } = await holder.query<{ now: Date }>('select clock_timestamp() as now')
      const [row] = rows
      if (row === undefined) throw new Error('the database did not tell its time')
      return row.now
    }
    try {
      await holder.query('select pg_advisory_lock($1, hashtext($2))', [LOCK, at.tenant])
      return await work({ pool, now })
    } finally {
      holder.release(true)
    }
  } finally {
    await pool.end()
  }
}

interface Change {
  readonly tenant: string
  readonly name: SetName
  readonly path: string
  readonly before: string
  readonly text: string
  readonly kids: readonly string[]
  readonly reasonCode: string
  /** Of the new key, if there is one: brokers have to have read it by then. */
  readonly signsFrom: Date | null
}

/**
 * On record first, and then only if nobody else had a turn meanwhile. What is not put in place then leaves
 * the file as it was, and nothing beside it.
 */
async function change({ pool, now }: Held, it: Change): Promise<void> {
  const staged = await stageKeyFile(it.path, it.before, it.text)
  try {
    await record(pool, it)
    const asked = await now().catch((cause: unknown) => {
      if (!isOutage(cause)) throw cause
      throw new CommandError(
        `the database was lost, and with it the lock: ${it.name}.json is left as it is; run it again`,
      )
    })
    if (it.signsFrom !== null && it.signsFrom.getTime() - asked.getTime() < READ_MS) {
      throw new CommandError(
        `that took too long: the new key would sign before every broker has read it. ${it.name}.json ` +
          'is as it was; run it again, with a longer --in',
      )
    }
    await staged.putInPlace()
  } finally {
    await staged.discard()
  }
}

async function record(
  pool: Pool,
  { tenant, name, before, text, kids, reasonCode }: Change,
): Promise<void> {
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
}

/** Of what is published of a set, in the order of its file. */
const hashOf = (text: string, name: SetName) => digestOf(publicJwks(readSet(text, name)))
