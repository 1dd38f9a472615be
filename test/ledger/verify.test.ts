import { createPublicKey } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { checkpointBody, signNote, vkeyOf } from '../../src/ledger/checkpoint.ts'
import { leafHash } from '../../src/ledger/merkle.ts'
import { linesOf } from '../../src/ledger/verify-lines.ts'
import { exitCode, type Verdict, verifyLedger } from '../../src/ledger/verify.ts'
import {
  aLog,
  checkpointAt,
  exportOf,
  forged,
  header,
  keyFrom,
  leafLine,
  leavesOf,
  LOG_KEY,
  noteLine,
  ORIGIN,
  rewritten,
  VKEY,
  without,
} from '../fakes/ledger-export.ts'

const honest = forged((log) => log)
const SIZE = honest.length
const check = (lines: Iterable<string>, against: string[] = [], vkeys = [VKEY]) =>
  verifyLedger(lines, { vkeys, against })

describe('an honest log', () => {
  it('holds, with as many entries as there are, and says what was checked', async () => {
    const verdict = await check(exportOf(honest))
    expect(verdict).toMatchObject({ ok: true, entries: SIZE, size: SIZE })
    expect(exitCode(verdict)).toBe(0)
    expect(verdict).toHaveProperty('checks.length', 10)
  })

  it('holds from its first entry to its last, at every size', async () => {
    for (let size = 1; size <= SIZE; size += 1) {
      expect(await check(exportOf(honest.slice(0, size)))).toMatchObject({ ok: true, size })
    }
  })

  it('holds with checkpoints anywhere, older ones kept elsewhere, and stored hashes', async () => {
    const stored = honest.map((leaf) =>
      JSON.stringify({ leaf, hash: Buffer.from(leafHash(leaf)).toString('base64') }),
    )
    const notes = [SIZE, 3, 7].map((size) => noteLine(checkpointAt(honest, size)))
    const lines = [header, notes[0] ?? '', ...stored, ...notes.slice(1)]
    expect(await check(lines, [checkpointAt(honest, 5), checkpointAt(honest, SIZE)])).toMatchObject(
      { ok: true },
    )
  })

  it('may be signed with an old and a new key, and by witnesses', async () => {
    const newKey = keyFrom('the key after it')
    const newVkey = vkeyOf(ORIGIN, createPublicKey(newKey))
    const lines = [header, ...honest.map(leafLine), noteLine(checkpointAt(honest, SIZE, newKey))]
    expect(await check(lines, [], [VKEY, newVkey])).toMatchObject({ ok: true })
    expect(await check(lines, [checkpointAt(honest, 3)], [VKEY, newVkey])).toMatchObject({
      ok: true,
    })
    expect(await check(lines)).toMatchObject({ ok: false, rule: 'signature' })
  })
})

describe('a log that was changed after it was signed', () => {
  const lines = exportOf(honest, [4, 9, SIZE])

  it('is found out for any octet of any leaf', async () => {
    const change = fc.record({
      leaf: fc.nat(SIZE - 1),
      at: fc.nat(100_000),
      to: fc.integer({ min: 32, max: 126 }),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ leaf, at, to }) => {
        const text = honest[leaf] ?? ''
        const place = at % text.length
        const changed = text.slice(0, place) + String.fromCharCode(to) + text.slice(place + 1)
        fc.pre(changed !== text)
        const verdict = await check(lines.with(leaf + 1, leafLine(changed)))
        expect(exitCode(verdict)).toBe(1)
      }),
      { numRuns: 300 },
    )
  })

  it('is named by its index where the hash it was stored under is there [AUD-02]', async () => {
    for (let index = 0; index < SIZE; index += 1) {
      const leaf = honest[index] ?? ''
      const hash = Buffer.from(leafHash(leaf)).toString('base64')
      const line = JSON.stringify({ leaf: leaf.replace('evt_', 'evt-'), hash })
      expect(await check(lines.with(index + 1, line))).toMatchObject({
        ok: false,
        index,
        rule: 'hash',
      })
    }
  })

  it('is placed between two checkpoints where it is not', async () => {
    const line = leafLine((honest[6] ?? '').replace('evt_', 'evt-'))
    expect(await check(lines.with(7, line))).toEqual({
      ok: false,
      index: 4,
      rule: 'root',
      message: 'entries 4 to 8 are not those that were signed',
    })
  })

  // prettier-ignore
  it.each<[string, () => string[], object]>([
    ['two leaves are swapped [AUD-02]', () => lines.with(3, lines[4] ?? '').with(4, lines[3] ?? ''), { index: 2, rule: 'sequence' }],
    ['a leaf is removed in the middle', () => lines.toSpliced(6, 1), { index: 5, rule: 'sequence' }],
    ['a leaf is added in the middle', () => lines.toSpliced(6, 0, lines[6] ?? ''), { index: 6, rule: 'sequence' }],
    ['a leaf is removed and the rest renumbered', () => [header, ...without('denied').map(leafLine), ...lines.slice(-3)], { index: 4, rule: 'root' }],
    ['a leaf is added at the end, unsigned', () => [header, ...forged((log) => [...log, ...log.slice(-1)]).map(leafLine), ...lines.slice(-3)], { index: SIZE, rule: 'unsigned' }],
    ['the tail is cut, not the checkpoint [AUD-03]', () => lines.toSpliced(SIZE, 1), { index: SIZE - 1, rule: 'cut' }],
    ['only an old checkpoint is left [AUD-11]', () => [...lines.slice(0, SIZE + 1), noteLine(checkpointAt(honest, 9))], { index: 9, rule: 'unsigned' }],
    ['a leaf is no JSON [AUD-17]', () => lines.with(3, leafLine('{"seq":2,')), { index: 2, rule: 'canonical' }],
    ['a leaf is very deep [AUD-17]', () => lines.with(3, leafLine('['.repeat(16_000) + ']'.repeat(16_000))), { index: 2 }],
    ['a leaf is empty [AUD-17]', () => lines.with(3, leafLine('')), { index: 2, rule: 'canonical' }],
    ['a leaf is too long', () => lines.with(3, leafLine('x'.repeat(32_769))), { index: 2, rule: 'form' }],
    ['a leaf has a space', () => lines.with(3, leafLine((honest[2] ?? '').replace(',', ', '))), { index: 2, rule: 'canonical' }],
    ['a leaf has a name twice', () => lines.with(3, leafLine((honest[2] ?? '').replace('{', '{"a":1,"a":1,'))), { index: 2, rule: 'canonical' }],
    ['a leaf has a fraction', () => lines.with(3, leafLine((honest[2] ?? '').replace('{', '{"a":1.5,'))), { index: 2, rule: 'canonical' }],
    ['a leaf has a lone surrogate', () => lines.with(3, leafLine((honest[2] ?? '').replace('{', '{"a":"\ud800",'))), { index: 2, rule: 'canonical' }],
    ['a leaf has an escaped lone surrogate', () => lines.with(3, leafLine((honest[2] ?? '').replace('{', '{"a":"\\ud800",'))), { index: 2, rule: 'canonical' }],
    ['a line is something else', () => lines.with(3, 'hello'), { index: 2, rule: 'form' }],
    ['a line is blank', () => lines.toSpliced(3, 0, ''), { index: 2, rule: 'form' }],
    ['a checkpoint is malformed', () => [...lines, noteLine('hello')], { index: null, rule: 'checkpoint' }],
    ['a checkpoint is of another log', () => [...lines, noteLine(checkpointAt(honest, 3).replaceAll('broker', 'other'))], { rule: 'origin' }],
    ['a checkpoint is signed by another key [AUD-11]', () => [...lines.slice(0, SIZE + 1), noteLine(checkpointAt(honest, SIZE, keyFrom('mallory')))], { rule: 'signature' }],
    ['a checkpoint was changed', () => [...lines, noteLine(checkpointAt(honest, 4).replace('\n4\n', '\n5\n'))], { rule: 'signature' }],
    ['the header names another log', () => lines.with(0, header.replace('broker', 'other')), { rule: 'origin' }],
  ])('is found out when %s', async (_what, tampered, finding) => {
    expect(await check(lines)).toMatchObject({ ok: true })
    const verdict = await check(tampered())
    expect(verdict).toMatchObject({ ok: false, ...finding })
    expect(exitCode(verdict)).toBe(1)
  })

  it('is found out by a checkpoint that somebody kept, when it was cut and signed again [AUD-03]', async () => {
    const cut = honest.slice(0, SIZE - 2)
    expect(await check(exportOf(cut))).toMatchObject({ ok: true })
    expect(await check(exportOf(cut), [checkpointAt(honest, SIZE)])).toMatchObject({
      ok: false,
      index: SIZE - 2,
      rule: 'cut',
    })
  })

  it('is found out when it forked, at equal size or before [AUD-05]', async () => {
    const fork = rewritten('outage', (record) => (record['reason'] = 'another'))
    expect(await check(exportOf(fork))).toMatchObject({ ok: true })
    for (const kept of [checkpointAt(honest, SIZE)]) {
      expect(await check(exportOf(fork), [kept])).toMatchObject({ ok: false, rule: 'root' })
    }
    const early = rewritten('registered', (record) => (record['sponsor_id'] = 'spn_9'))
    expect(await check(exportOf(early), [checkpointAt(honest, 3)])).toMatchObject({
      index: 0,
      rule: 'root',
    })
  })

  it('cannot pass an interior node off as a leaf [AUD-12]', async () => {
    const [left, right] = [leafHash(honest[0] ?? ''), leafHash(honest[1] ?? '')]
    const crafted = Buffer.concat([left, right]).toString('latin1')
    const root = Buffer.from(checkpointAt(honest, 2).split('\n')[2] ?? '', 'base64')
    const note = signNote(checkpointBody({ origin: ORIGIN, size: 1, root }), ORIGIN, LOG_KEY)
    expect(exitCode(await check([header, leafLine(crafted), noteLine(note)]))).toBe(1)
    expect(await check([header, leafLine(honest[0] ?? ''), noteLine(note)])).toMatchObject({
      rule: 'root',
    })
  })
})

describe('what cannot be checked', () => {
  async function* broken(): AsyncGenerator<string> {
    yield await Promise.resolve(header)
    throw new Error('EIO')
  }

  // prettier-ignore
  it.each<[string, () => Promise<Verdict>]>([
    ['no lines [AUD-17]', () => check([])],
    ['a header alone [AUD-17]', () => check([header])],
    ['a header and a checkpoint of nothing', () => check(exportOf([]))],
    ['no checkpoint', () => check([header, ...honest.map(leafLine)])],
    ['something else', () => check(['hello'])],
    ['another format', () => check(exportOf(honest).with(0, header.replace('/1', '/2')))],
    ['no key', () => check(exportOf(honest), [], [])],
    ['a key that is none', () => check(exportOf(honest), [], ['broker.example+00000000+AAAA'])],
    ['an input that breaks off with an error', () => verifyLedger(broken(), { vkeys: [VKEY] })],
  ])('is not good: %s', async (_what, verify) => {
    const verdict = await verify()
    expect(verdict).toMatchObject({ ok: null })
    expect(exitCode(verdict)).toBe(2)
  })
})

describe('an export in octets', () => {
  async function* inPieces(octets: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < octets.length; at += size) yield octets.subarray(at, at + size)
  }
  const octetsOf = (lines: readonly string[]) => Buffer.from(`${lines.join('\n')}\n`)
  const verify = (octets: Uint8Array, size = 1000) =>
    verifyLedger(linesOf(inPieces(octets, size)), { vkeys: [VKEY] })

  it('reads the same in whatever pieces it comes, with any character in it [AUD-07]', async () => {
    const hostile = 'é\u2028\u2029\u0085😀\r\n\u001b[2J</script>'
    const leaves = rewritten('outage', (record) => (record['reason'] = hostile))
    const octets = octetsOf(exportOf(leaves))
    for (const size of [1, 7, 1000, octets.length]) {
      expect(await verify(octets, size)).toMatchObject({ ok: true, entries: SIZE })
    }
    expect(await verify(octets.subarray(0, -1))).toMatchObject({ ok: true })
  })

  it('is found out for any octet that changed, or was cut off', async () => {
    const octets = octetsOf(exportOf(honest))
    const first = octets.indexOf('\n') + 1
    const change = fc.record({
      at: fc.integer({ min: first, max: octets.length - 2 }),
      by: fc.integer({ min: 1, max: 255 }),
    })
    await fc.assert(
      fc.asyncProperty(change, async ({ at, by }) => {
        const changed = Buffer.from(octets)
        changed[at] = (changed[at] ?? 0) ^ by
        expect(exitCode(await verify(changed))).toBe(1)
        expect(exitCode(await verify(octets.subarray(0, at)))).not.toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('is not read when a line has no end', async () => {
    const endless = Buffer.concat([octetsOf([header]), Buffer.alloc(300_000, 'x')])
    expect(await verify(endless)).toMatchObject({ ok: null })
  })
})

describe('a long log', () => {
  it('is checked in one pass, over many pieces and checkpoints', async () => {
    const refused = (record: JsonObject): JsonObject => ({
      ...record,
      event_type: 'refusals',
      refusals: {},
    })
    const [opened] = aLog()
    const record = opened?.record ?? {}
    const leaves = leavesOf([record, ...Array.from({ length: 9999 }, () => refused(record))])
    const sizes = [1, 4095, 4096, 4097, 8192, 9999, 10_000]
    expect(await check(exportOf(leaves, sizes))).toMatchObject({ ok: true, size: 10_000 })
    const changed = exportOf(leaves, sizes).with(
      8193,
      leafLine((leaves[8192] ?? '').replace('"r0"', '"r1"')),
    )
    expect(await check(changed)).toMatchObject({ ok: false, index: 8192, rule: 'root' })
  })
})
