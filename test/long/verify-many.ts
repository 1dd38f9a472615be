/**
 * `node test/long/verify-many.ts 1000000`: how long the offline verifier takes for so many entries,
 * beside what it takes to read them, and what memory. The export is written to a file first, by this
 * process; another one reads and checks it.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import { checkpointBody, signNote } from '../../src/ledger/checkpoint.ts'
import { EMPTY_TREE, grow, leafHash, rootOf } from '../../src/ledger/merkle.ts'
import { linesOf } from '../../src/ledger/verify-lines.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { type Act, aLog, header, LOG_KEY, noteLine, ORIGIN, VKEY } from '../fakes/ledger-export.ts'

const BATCH = 10_000
const [what = '100000', file] = process.argv.slice(2)
if (file === undefined) await makeAndCheck(Number(what))
else await check(file)

async function makeAndCheck(entries: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'procura-export-'))
  try {
    const path = join(folder, 'export.jsonl')
    await write(path, entries)
    const self = import.meta.filename
    process.stdout.write(execFileSync(process.execPath, [self, 'check', path]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function check(path: string): Promise<void> {
  const starting = process.cpuUsage()
  const reading = await measured(() => readAlone(path))
  const checking = await measured(() =>
    verifyLedger(linesOf(createReadStream(path)), { vkeys: [VKEY] }),
  )
  const { result: verdict, seconds } = checking
  if (verdict.ok !== true) throw new Error(JSON.stringify(verdict))
  const rssMb = process.resourceUsage().maxRSS / 1024
  const cpuSeconds = secondsOf(starting) + checking.cpuSeconds // Start and all.
  const readingCpuSeconds = reading.cpuSeconds
  const told = { entries: verdict.entries, seconds, cpuSeconds, readingCpuSeconds, rssMb }
  process.stdout.write(`${JSON.stringify(told)}\n`)
}

async function measured<T>(work: () => Promise<T>) {
  const [start, since] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const cpuSeconds = secondsOf(process.cpuUsage(since))
  return { result, seconds: (performance.now() - start) / 1000, cpuSeconds }
}

function secondsOf({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000_000
}

/** What is done whoever checks them, by Node alone: each line is read, its leaf hashed and parsed. */
async function readAlone(path: string): Promise<void> {
  for await (const line of createInterface(createReadStream(path))) {
    const { leaf } = JSON.parse(line) as { leaf?: string }
    if (leaf === undefined) continue
    createHash('sha256').update(leaf).digest()
    JSON.parse(leaf)
  }
}

async function write(path: string, entries: number): Promise<void> {
  const handle = await open(path, 'w')
  await handle.write(`${header}\n`)
  let tree = EMPTY_TREE
  const records = story()
  for (let start = 0; start < entries; start += BATCH) {
    const leaves = Array.from({ length: Math.min(BATCH, entries - start) }, (_, n) =>
      canonical({ ...records.next().value, seq: start + n }),
    )
    const hashes = leaves.map((leaf) => leafHash(leaf))
    tree = grow(tree, hashes).tree
    const lines = leaves.map((leaf, n) => {
      const hash = Buffer.from(hashes[n] ?? []).toString('base64')
      return `${JSON.stringify({ leaf, hash })}\n`
    })
    await handle.write(lines.join(''))
    const body = checkpointBody({ origin: ORIGIN, size: tree.size, root: rootOf(tree) })
    await handle.write(`${noteLine(signNote(body, ORIGIN, LOG_KEY))}\n`)
  }
  await handle.close()
}

/** A consent, and then a decision and its issuance, again and again. */
function* story(): Generator<JsonObject, never> {
  const acts = new Map(aLog().map(({ act, record }) => [act, record]))
  const act = (name: Act) => acts.get(name) ?? {}
  yield* [act('opened'), act('registered'), act('granted'), act('session')]
  for (let n = 0; ; n += 1) {
    const time = new Date(Date.parse('2026-11-21T12:00:00.000Z') + n * 10).toISOString()
    const more = { recorded_at: time, request_id: `request-${String(n)}` }
    const decision = { id: `dec_${String(n)}`, answer: 'allow', level: 'L1' }
    const used = { account: 'con_1', key: 'calls', type: 'max_subtree', limit: 10_000_000 }
    const budgets = [{ ...used, debited: 1, used_after: n + 1 }]
    yield { ...act('allowA'), ...more, decision, budgets }
    const credential = { id: `crd_${String(n)}`, decision_id: decision.id, ttl_seconds: 60 }
    yield { ...act('issueA'), ...more, credential }
  }
}
