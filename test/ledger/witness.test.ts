import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NoteError } from '../../src/ledger/checkpoint.ts'
import { appendCheckpoint, newestCheckpoint } from '../../src/ledger/witness.ts'
import { checkpointAt } from '../fakes/ledger-export.ts'

const leaves = Array.from({ length: 400 }, (_, n) => `leaf ${String(n)}`)
const note = (size: number) => checkpointAt(leaves, size)
let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'witness-'))
  file = join(directory, 'checkpoints')
})
afterEach(async () => {
  await rm(directory, { recursive: true })
})

describe('the file witness', () => {
  it('has seen nothing before there is a file', async () => {
    expect(await newestCheckpoint(file)).toBeNull()
  })

  it('keeps every larger checkpoint, and none that is no news', async () => {
    expect(await appendCheckpoint(file, note(1))).toBe(true)
    expect(await appendCheckpoint(file, note(5))).toBe(true)
    expect(await appendCheckpoint(file, note(5))).toBe(false)
    expect(await appendCheckpoint(file, note(3))).toBe(false)
    expect(await newestCheckpoint(file)).toBe(note(5))
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(3)
  })

  it('refuses a fork: another tree of the size it saw last [AUD-05]', async () => {
    await appendCheckpoint(file, note(5))
    const fork = checkpointAt([...leaves.slice(0, 4), 'forked'], 5)
    await expect(appendCheckpoint(file, fork)).rejects.toThrow(NoteError)
    expect(await newestCheckpoint(file)).toBe(note(5))
  })

  it('refuses what is not a checkpoint, and another log', async () => {
    await appendCheckpoint(file, note(5))
    await expect(appendCheckpoint(file, 'x')).rejects.toThrow(NoteError)
    const other = note(6).replaceAll('broker', 'other')
    await expect(appendCheckpoint(file, other)).rejects.toThrow('another log')
  })

  it('passes over a line torn by a crash, wherever it was cut', async () => {
    await appendCheckpoint(file, note(1))
    const whole = await readFile(file, 'utf8')
    await appendCheckpoint(file, note(2))
    const both = await readFile(file, 'utf8')
    for (let cut = whole.length; cut < both.length; cut += 13) {
      await writeFile(file, both.slice(0, cut))
      expect(await newestCheckpoint(file)).toBe(note(1))
      expect(await appendCheckpoint(file, note(3))).toBe(true)
      expect(await newestCheckpoint(file)).toBe(note(3))
    }
  })

  it('starts over when its very first line was torn', async () => {
    await writeFile(file, '{"checkpo')
    expect(await newestCheckpoint(file)).toBeNull()
    await appendCheckpoint(file, note(1))
    expect(await newestCheckpoint(file)).toBe(note(1))
  })

  it('does not take a file of something else for one that has seen nothing', async () => {
    await writeFile(file, 'once upon a time\nthere was\n')
    await expect(newestCheckpoint(file)).rejects.toThrow(NoteError)
    await expect(appendCheckpoint(file, note(1))).rejects.toThrow(NoteError)
  })

  it('finds the newest of many without reading all', async () => {
    const lines = leaves.map((_, n) => JSON.stringify({ checkpoint: note(n + 1) }))
    await writeFile(file, `${lines.join('\n')}\n`)
    expect(await newestCheckpoint(file)).toBe(note(400))
  })

  it('finds the largest when two processes wrote at once', async () => {
    await appendCheckpoint(file, note(7))
    await appendFile(file, `${JSON.stringify({ checkpoint: note(6) })}\n`)
    expect(await newestCheckpoint(file)).toBe(note(7))
  })
})
