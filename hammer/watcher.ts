/** An auditor who does not wait for the end: proves, while it loads, that what was acknowledged is in the tree. */
import { setTimeout as pause } from 'node:timers/promises'
import { textIn } from '../src/cli/member.ts'
import { Refused, Unreachable } from '../src/client/errors.ts'
import type { JsonObject } from '../src/domain/json.ts'
import { verifyConsistency, verifyInclusion } from '../src/ledger/merkle.ts'
import { BLANK, type Journal } from './journal.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

const PAUSE_MS = 250

export interface Watcher {
  /** Proofs that held, by kind; and what did not. */
  readonly proven: { inclusion: number; consistency: number }
  readonly violations: readonly string[]
  stop(): Promise<void>
}

interface Head {
  readonly size: number
  readonly root: Buffer
}

export function watch(world: World, journal: Journal, random: Random): Watcher {
  const auditor = world.as('cleo')
  const proven = { inclusion: 0, consistency: 0 }
  const violations: string[] = []
  const over = new AbortController()
  let head: Head | null = null

  async function look(): Promise<void> {
    const known = journal.lines.filter(({ event, op }) => event !== null && op !== 'proof')
    const event = known[random.below(known.length)]?.event ?? null
    if (event === null) return
    const told = await auditor.get(`/v1/ledger/proof/inclusion?event_id=${event}`)
    const next = headOf(textIn(told, 'checkpoint'))
    const leaf = Buffer.from(textIn(told, 'leaf_hash'), 'base64')
    const hashes = hashesIn(told)
    const claim = { index: Number(told['index']), size: next.size, leaf, root: next.root, hashes }
    if (!verifyInclusion(claim)) violations.push(`I2 ${event} is not proven to be in the ledger`)
    proven.inclusion += 1
    const now = { at: Date.now(), answeredAt: Date.now() }
    const own = { op: 'proof', actor: 'cleo', sponsor: 'cleo', status: 200, ids: [event] } as const
    journal.write({ ...BLANK, ...now, ...own, event, leaf: leaf.toString('base64') })
    if (head !== null && next.size > head.size) await grew(head, next)
    if (head === null || next.size > head.size) head = next
  }

  async function grew(from: Head, to: Head): Promise<void> {
    const query = `from=${String(from.size)}&to=${String(to.size)}`
    const told = await auditor.get(`/v1/ledger/proof/consistency?${query}`)
    const sizes = { from: from.size, to: to.size, fromRoot: from.root, toRoot: to.root }
    if (!verifyConsistency({ ...sizes, hashes: hashesIn(told) })) {
      violations.push(
        `I7 the tree of ${String(to.size)} does not begin with that of ${String(from.size)}`,
      )
    }
    proven.consistency += 1
  }

  const watching = (async () => {
    while (!over.signal.aborted) {
      await look().catch(notYet)
      await pause(PAUSE_MS)
    }
  })()
  return {
    ...{ proven, violations },
    async stop() {
      over.abort()
      await watching
    },
  }
}

/** No answer is no proof and no fault: it is asked again. */
function notYet(error: unknown): void {
  if (!(error instanceof Refused) && !(error instanceof Unreachable)) throw error
}

function headOf(note: string): Head {
  const [, size = '', root = ''] = note.split('\n')
  return { size: Number(size), root: Buffer.from(root, 'base64') }
}

function hashesIn(told: JsonObject): Buffer[] {
  const { hashes } = told
  if (!Array.isArray(hashes)) throw new TypeError('a proof has no hashes')
  return hashes.map((hash) => Buffer.from(typeof hash === 'string' ? hash : '', 'base64'))
}
