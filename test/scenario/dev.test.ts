/** What a newcomer types, in an empty folder. */
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { procura } from '../cli/run.ts'
import { start } from './broker.ts'

const folders: string[] = []
function anEmptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'procura-new-'))
  chmodSync(folder, 0o755) // When root runs the tests, somebody else runs the server.
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe('procura demo', () => {
  it('shows the whole story in under a minute, and leaves nothing running', async () => {
    const folder = anEmptyFolder()
    const env = { PROCURA_DATA: folder }
    const since = performance.now()
    const { code, stdout, stderr } = await procura(['demo'], { env })
    expect(stderr).toBe('')
    expect(stdout).toMatch(/done +\d+ things shown, 0 failed · nothing left running\n$/)
    expect(code).toBe(0)
    expect(performance.now() - since).toBeLessThan(60_000)
    const labels = ['consent', 'issued', 'confined', 'refused', 'replayed', 'asked', 'approved']
    const later = ['narrowed', 'redeemed', 'given back', 'expired', 'withdrawn', 'verified']
    for (const label of [...labels, ...later]) {
      expect(stdout).toMatch(new RegExp(`^${label} `, 'm'))
    }

    const [file, key] = ['ledger.jsonl', 'ledger.vkey'].map((name) => join(folder, 'demo', name))
    const check = await procura(['ledger', 'verify', file ?? '', '--key', key ?? ''])
    expect(check.stdout).toMatch(/verified +\d+ entries/)
    expect(check.code).toBe(0)
  }, 90_000)
})

describe('procura dev', () => {
  it('prints commands that work, keeps its state, and stops when it is told to', async () => {
    const env = { PROCURA_DATA: anEmptyFolder() }
    const first = await start(['dev'], { ...env, PROCURA_PORT: '0' }, /--reset removes it/)
    expect(first.stdout()).toMatch(/agent +report-bot/)

    for (const line of nextCommands(first.stdout())) {
      const { code, stdout, stderr } = await procura(line, { env })
      expect([0, 4], `${line.join(' ')}: ${stderr}`).toContain(code)
      expect(stdout).not.toBe('')
    }
    const { stdout: inbox } = await procura(['inbox', '--as', 'ben', '--json'], { env })
    expect(JSON.parse(inbox.split('\n')[0] ?? '')).toMatchObject({ tool: 'sql.query' })
    const get = ['get', 'sql.query', '--sql', 'select count(*) from orders', '--json']
    const { stdout } = await procura(get, { env })
    const issued = JSON.parse(stdout) as { id: string; decision_id: string; credential: object }
    expect(issued.credential).toMatchObject({ password: '(hidden: --raw)' })
    expect((await procura(['why', issued.decision_id], { env })).stdout).toContain('└ issued')
    expect((await procura(['release', issued.id], { env })).stdout).toMatch(/^returned/)
    const denied = await procura(['get', 'sql.query', '--sql', 'select * from payroll'], { env })
    expect(denied.code).toBe(3)
    expect(denied.stderr).toMatch(/^fix +\S/m)
    expect((await procura(['ledger', 'head'], { env })).stdout).toMatch(/entries +\d+/)
    expect((await procura(['ledger', 'verify'], { env })).code).toBe(0)
    first.signal('SIGINT')
    expect(await first.ended).toBe(0)

    const moved = await procura(['dev'], { env: { ...env, PROCURA_PORT: '1' } })
    expect(moved.stderr).toContain('--reset')
    expect(moved.code).toBe(2)
    const again = await start(['dev'], { ...env, PROCURA_PORT: '0' }, /--reset removes it/)
    const keys = readFileSync(join(env.PROCURA_DATA, 'agents', 'report-bot.json'), 'utf8')
    expect((await procura(get, { env })).code).toBe(0)
    again.signal('SIGTERM')
    expect(await again.ended).toBe(0)
    expect(readFileSync(join(env.PROCURA_DATA, 'agents', 'report-bot.json'), 'utf8')).toBe(keys)
    expect(existsSync(join(env.PROCURA_DATA, 'local.json'))).toBe(true)
  }, 180_000)
})

/** The lines after `next:`, as their arguments. */
function nextCommands(output: string): string[][] {
  const lines = output.split('\n').filter((line) => line.includes(' -- '))
  expect(lines.length).toBeGreaterThan(1)
  return lines.map((line) => {
    const words = line.split(' -- ')[1]?.match(/"[^"]*"|\S+/g) ?? []
    return words.map((word) => word.replace(/^"|"$/g, ''))
  })
}
