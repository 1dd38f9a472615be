/** While it loads: what was acknowledged is looked for in the ledger, and proven to be in its tree. */
import { setTimeout as pause } from 'node:timers/promises'
import { Refused } from '../src/client/errors.ts'
import type { Caller } from '../src/client/person.ts'
import { textIn } from '../src/cli/member.ts'
import { canonical, isObject, type JsonObject } from '../src/domain/json.ts'
import { bodyOf, readCheckpoint } from '../src/ledger/checkpoint.ts'
import { leafHash, verifyInclusion } from '../src/ledger/merkle.ts'
import type { Minted } from './load-order.ts'

const SIGNED_MS = 1500
/** A leaf is provable a second after it was told; a busy machine has ten times that. */
const PROVABLE_MS = 10_000

export interface Journal {
  readonly note: (minted: Minted) => void
  /** How many were proven. @throws Error when one was not */
  readonly settled: () => Promise<number>
}

export function createJournal(auditor: Caller): Journal {
  const checks: Promise<unknown>[] = []
  return {
    note(minted) {
      checks.push(prove(auditor, minted).catch((error: unknown) => error))
    },
    async settled() {
      const outcomes = await Promise.all(checks)
      const failure = outcomes.find((outcome) => outcome !== undefined)
      if (failure !== undefined) throw failure instanceof Error ? failure : new Error('unproven')
      return outcomes.length
    },
  }
}

async function prove(auditor: Caller, { id, event }: Minted): Promise<void> {
  if (event === null) throw new Error(`${id} names no entry`)
  const proof = await proofOf(auditor, event)
  const [index, hashes] = [Number(proof['index']), proof['hashes'] as string[]]
  const { items } = await auditor.get(`/v1/ledger/entries?start=${String(index)}&limit=1`)
  const item = Array.isArray(items) ? items[0] : null
  const record = isObject(item) ? item['record'] : null
  const credential = isObject(record) ? record['credential'] : null
  if (!isObject(record) || !isObject(credential) || credential['id'] !== id) {
    throw new Error(`the entry at ${String(index)} is not the issuance of ${id}`)
  }
  const { size, root } = readCheckpoint(bodyOf(textIn(proof, 'checkpoint')))
  const path = hashes.map((hash) => Buffer.from(hash, 'base64'))
  const leaf = leafHash(canonical(record))
  if (!verifyInclusion({ index, size, leaf, root, hashes: path })) {
    throw new Error(`${id} is not in the tree that was signed`)
  }
}

async function proofOf(auditor: Caller, event: string): Promise<JsonObject> {
  await pause(SIGNED_MS)
  const late = performance.now() + PROVABLE_MS
  for (;;) {
    try {
      return await auditor.get(`/v1/ledger/proof/inclusion?event_id=${event}`)
    } catch (error) {
      if (!(error instanceof Refused) || performance.now() > late) throw error
      await pause(200)
    }
  }
}
