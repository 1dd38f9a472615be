/** The lines about the offline verifier: what is given to it here is bytes, and nothing runs. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkpointBody, signNote } from '../../src/ledger/checkpoint.ts'
import { EMPTY_TREE, grow, leafHash, nodeHash, rootOf } from '../../src/ledger/merkle.ts'
import { linesOf } from '../../src/ledger/verify-lines.ts'
import { exitCode, verifyLedger } from '../../src/ledger/verify.ts'
import {
  checkpointAt,
  exportOf,
  forged,
  keyFrom,
  LOG_KEY,
  noteLine,
  ORIGIN,
  rewritten,
  VKEY,
} from '../fakes/ledger-export.ts'

const leaves = forged((log) => log)
const SIZE = leaves.length
const lines = exportOf(leaves.slice(0, SIZE)).map((line, n) =>
  n === 0 || n > SIZE ? line : withHash(leaves[n - 1] ?? ''),
)
const octets = Buffer.from(`${lines.join('\n')}\n`)

function withHash(leaf: string): string {
  return JSON.stringify({ leaf, hash: Buffer.from(leafHash(leaf)).toString('base64') })
}
const check = async (text: Uint8Array) =>
  exitCode(await verifyLedger(linesOf([text] as never), { vkeys: [VKEY] }))

/** One octet or one line of the export is another, is gone, or is one too many. */
type Mutation = (of: Buffer) => Buffer
const nth = fc.nat(1_000_000)
const edited = (edit: (all: string[], n: number, m: number) => string[]) =>
  fc.tuple(nth, nth).map(([n, m]): Mutation => (of) => {
    const all = of.toString().trimEnd().split('\n')
    return Buffer.from(`${edit(all, 1 + (n % SIZE), 1 + (m % SIZE)).join('\n')}\n`)
  })
const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  { weight: 5, arbitrary: changedAt((octet, by) => [octet ^ (1 << (by % 8))]) }, // a bit
  { weight: 3, arbitrary: changedAt((_octet, by) => [by % 256]) },
  { weight: 2, arbitrary: changedAt(() => []) },
  { weight: 2, arbitrary: changedAt((octet, by) => [octet, by % 256]) },
  { weight: 2, arbitrary: changedAt((octet) => [octet, octet]) },
  edited((all, n) => all.toSpliced(n, 1)),
  edited((all, n) => all.toSpliced(n, 0, all[n] ?? '')),
  edited((all, n, m) => all.with(n, all[m] ?? '').with(m, all[n] ?? '')),
  edited((all, n) => all.slice(0, n + 1)),
)

/** All but the last line feed, without which the lines are the same. */
function changedAt(change: (octet: number, by: number) => readonly number[]) {
  return fc.tuple(nth, nth).map(([n, by]): Mutation => (of) => {
    const at = n % (of.length - 1)
    return Buffer.concat([
      of.subarray(0, at),
      Buffer.of(...change(of[at] ?? 0, by)),
      of.subarray(at + 1),
    ])
  })
}

describe('an export', () => {
  it('[I17] verifies as it is, and after none of 1,000 single mutations', async () => {
    expect(await check(octets)).toBe(0)
    await fc.assert(
      fc.asyncProperty(mutation, async (mutate) => {
        const mutated = mutate(octets)
        fc.pre(!mutated.equals(octets))
        expect(await check(mutated)).not.toBe(0)
      }),
      { numRuns: 1000 },
    )
    expect(await check(octets)).toBe(0)
  })

  it.each([
    [
      'a signature with a bit that says nothing',
      (all: string[]) => all.with(-1, loose(all.at(-1))),
    ],
    ['a member more', (all: string[]) => all.with(2, (all[2] ?? '').replace('{', '{"a":1,'))],
    [
      'a member of another name',
      (all: string[]) => all.with(2, (all[2] ?? '').replace('"hash"', '"hush"')),
    ],
    ['a member twice', (all: string[]) => all.with(2, (all[2] ?? '').replace('{', '{"leaf":"",'))],
    [
      'a space between its members',
      (all: string[]) => all.with(2, (all[2] ?? '').replace(',"hash"', ', "hash"')),
    ],
    [
      'an escape that need not be',
      (all: string[]) => all.with(2, (all[2] ?? '').replace('event', '\\u0065vent')),
    ],
    ['an end of lines that is not ours', (all: string[]) => all.map((line) => `${line}\r`)],
  ])('[I17] is in one spelling: not with %s', async (_what, edit) => {
    const text = edit(lines).join('\n')
    expect(text).not.toBe(lines.join('\n'))
    expect(await check(Buffer.from(`${text}\n`))).not.toBe(0)
  })

  it('[AC-19] names the entry when any member of its decision, call, path or credential is another', async () => {
    const places = leaves.flatMap((leaf, index) =>
      placesIn(JSON.parse(leaf), []).map((path) => ({ index, path })),
    )
    expect(places.length).toBeGreaterThan(300)
    for (const { index, path } of places) {
      const changed = leaves.with(index, flipped(leaves[index] ?? '', path))
      const stored = lines.map((line, n) =>
        n === index + 1
          ? line.replace(JSON.stringify(leaves[index]), JSON.stringify(changed[index]))
          : line,
      )
      const verdict = await verifyLedger(stored, { vkeys: [VKEY] })
      expect(verdict, path.join('.')).toMatchObject({ ok: false, index })
    }
  })
})

/** The last character of a signature's 68 octets has two bits that are in none of them. */
function loose(line = ''): string {
  const other = (last = '') => BASE64[BASE64.indexOf(last) ^ 1] ?? ''
  return line.replace(/(.)=\\n"}$/, (_all, last: string) => `${other(last)}=\\n"}`)
}
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Where a record has a value that is no object. */
function placesIn(value: unknown, path: readonly string[]): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([name, it]) => placesIn(it, [...path, name]))
}
function flipped(leaf: string, path: readonly string[]): string {
  const record = JSON.parse(leaf) as Record<string, unknown>
  const parent = path.slice(0, -1).reduce((at, name) => at[name] as typeof record, record)
  const last = path.at(-1) ?? ''
  const value = parent[last]
  parent[last] =
    typeof value === 'number' ? value + 1 : value === true ? false : `${String(value)}x`
  return JSON.stringify(record)
}

describe('a checkpoint', () => {
  it('[AUD-11] that is an old one, or another key’s, is refused as the newest', async () => {
    const against = async (note: string) => {
      const verdict = await verifyLedger([...lines.slice(0, -1), noteLine(note)], { vkeys: [VKEY] })
      return verdict.ok === false ? verdict.rule : String(verdict.ok)
    }
    expect(await against(checkpointAt(leaves, SIZE))).toBe('true')
    expect(await against(checkpointAt(leaves, SIZE - 3))).toBe('unsigned')
    expect(await against(checkpointAt(leaves, SIZE, keyFrom('mallory')))).toBe('signature')
    expect(await against(checkpointAt(leaves, SIZE))).toBe('true')
  })

  it('[AUD-05] of one of two logs of one size does not pass for the other’s', async () => {
    const fork = rewritten('outage', (record) => (record['reason'] = 'another'))
    const kept = checkpointAt(leaves, SIZE)
    expect(await verifyLedger(exportOf(fork), { vkeys: [VKEY] })).toMatchObject({ ok: true })
    expect(await verifyLedger(exportOf(fork), { vkeys: [VKEY], against: [kept] })).toMatchObject({
      ok: false,
      rule: 'root',
    })
    expect(await verifyLedger(lines, { vkeys: [VKEY], against: [kept] })).toMatchObject({
      ok: true,
    })
  })
})

describe('the tree', () => {
  it('[AUD-12] tells a leaf from a node, and is that of RFC 6962', async () => {
    const vectors = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657']
    const hashes = vectors.map((hex) => leafHash(Buffer.from(hex, 'hex')))
    const root = Buffer.from(rootOf(grow(EMPTY_TREE, hashes).tree)).toString('hex')
    expect(root).toBe('ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c')
    // A leaf whose octets are those that a node is made of has another hash than the node.
    const [left, right] = [leafHash(leaves[0] ?? ''), leafHash(leaves[1] ?? '')]
    const crafted = Buffer.concat([left, right])
    expect(Buffer.from(leafHash(crafted))).not.toEqual(Buffer.from(nodeHash(left, right)))
    const two = rootOf(grow(EMPTY_TREE, [left, right]).tree)
    const note = signNote(checkpointBody({ origin: ORIGIN, size: 1, root: two }), ORIGIN, LOG_KEY)
    const line = JSON.stringify({ leaf: crafted.toString('latin1') })
    expect(await check(Buffer.from(`${[lines[0], line, noteLine(note)].join('\n')}\n`))).toBe(1)
  })
})

describe('what is no export', () => {
  const CASES: [what: string, text: string, code: number][] = [
    ['a malformed leaf', lines.with(3, '{"leaf":"{","hash":""}').join('\n'), 1],
    ['a leaf that is a number', lines.with(3, '{"leaf":1}').join('\n'), 1],
    ['nothing', '', 2],
    ['a header alone', `${lines[0] ?? ''}\n`, 2],
    ['noise', '\u0000\u0001\u0002', 2],
    ['brackets', '['.repeat(100_000), 2],
    ['brackets after a header', `${lines[0] ?? ''}\n${'['.repeat(100_000)}\n`, 1],
  ]

  it.each(CASES)('[AUD-17] never passes, and does not hang: %s', async (_what, text, code) => {
    expect(await check(octets)).toBe(0)
    expect(await check(Buffer.from(text))).toBe(code)
  })
})

it(
  '[AUD-19] a long log is checked at the rate of a million entries a minute, in less than 300 MB',
  { timeout: 120_000 },
  async () => {
    const entries = 60_000
    const script = join(import.meta.dirname, '..', 'long', 'verify-many.ts')
    const { stdout } = await promisify(execFile)(process.execPath, [script, String(entries)])
    const seen = JSON.parse(stdout) as Seen
    expect(seen.entries).toBe(entries)
    expect(seen.rssMb).toBeLessThan(300)
    // Of the processor, start and all: what else runs on the machine is no matter of the verifier's.
    expect(seen.cpuSeconds).toBeLessThan(entries / 10_000)
    // And on a machine of any speed: two to three times what Node takes to read and hash these lines.
    expect(seen.cpuSeconds / seen.readingCpuSeconds).toBeLessThan(5)
  },
)
type Seen = Record<'entries' | 'cpuSeconds' | 'readingCpuSeconds' | 'rssMb', number>
