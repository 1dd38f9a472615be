import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { aLog, exportOf, keyFrom, leavesOf, VKEY } from '../fakes/ledger-export.ts'
import { createPublicKey } from 'node:crypto'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { aFolder, procura } from './run.ts'

const LINES = exportOf(leavesOf(aLog().map(({ record }) => record)))

function fileOf(lines: readonly string[]): string {
  const file = join(aFolder(), 'ledger.jsonl')
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}

describe('ledger verify', () => {
  it('ends with 0 when all of an export holds, with the key and nothing else', async () => {
    const { code, stdout } = await procura(['ledger', 'verify', fileOf(LINES), '--key', VKEY])
    expect(stdout).toMatch(/verified +\d+ entries/)
    expect(code).toBe(0)
  })

  it('takes the key from a file', async () => {
    const key = join(aFolder(), 'procura.vkey')
    writeFileSync(key, `${VKEY}\n`)
    expect((await procura(['ledger', 'verify', fileOf(LINES), '--key', key])).code).toBe(0)
  })

  it('ends with 1 and names the first entry that is wrong', async () => {
    const altered = LINES.map((line) => line.replace('agt_1', 'agt_2'))
    const { code, stdout } = await procura(['ledger', 'verify', fileOf(altered), '--key', VKEY])
    expect(stdout).toContain('wrong')
    expect(code).toBe(1)
  })

  it.each([
    ['an empty file', () => fileOf([]), VKEY],
    ['a file that is not there', () => join(aFolder(), 'none'), VKEY],
    ['something else', () => fileOf(['{"hello":"world"}']), VKEY],
  ])('ends with 2, never 0, for %s', async (_what, file, key) => {
    expect((await procura(['ledger', 'verify', file(), '--key', key])).code).toBe(2)
  })

  it('believes no key but the one given', async () => {
    const [origin = ''] = VKEY.split('+')
    const stranger = vkeyOf(origin, createPublicKey(keyFrom('somebody else')))
    const { code } = await procura(['ledger', 'verify', fileOf(LINES), '--key', stranger])
    expect(code).not.toBe(0)
  })

  it('asks whom to believe where no key is here', async () => {
    const { code, stderr } = await procura(['ledger', 'verify', fileOf(LINES)])
    expect(stderr).toContain('give --key')
    expect(code).toBe(2)
  })
})
