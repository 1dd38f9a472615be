/** The example, as somebody runs it: it has to go on telling the truth. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const MAIN = join(import.meta.dirname, '..', '..', 'examples', 'handing-on', 'main.ts')
const folder = mkdtempSync(join(tmpdir(), 'procura-example-'))
chmodSync(folder, 0o755) // When root runs the tests, somebody else runs the server.
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

it('two workers do what each was handed and nothing else, and nothing is left', async () => {
  const env = { PATH: process.env['PATH'], PROCURA_DATA: folder }
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  const [code] = (await once(child, 'close')) as [number]
  const output = Buffer.concat(chunks).toString()
  expect(code, output).toBe(0)
  for (const told of [
    /handed on +sales-counter: public\.orders, 2 calls, depth 1 · dlg_/,
    /handed on +city-lister: public\.customers, 5 calls/,
    /too wide +sales-counter: facts\.tables adds public\.payroll/,
    /not for me +city-lister's chain, .*holder_binding_failed/,
    /→ 179 8932\.00/,
    /→ Graz 14, Lisbon 14, Lyon 14, Oslo 15/,
    /refused +city-lister: select total from orders\n +outside_authority/,
    /refused +sales-counter: select name from customers\n +outside_authority/,
    /refused +sales-counter: select count\(\*\) from orders\n +budget_exhausted/,
    /done under it: 3 allowed, 0 asked, 3 denied · 3 credentials, 0 alive/,
    /verified +valid/,
  ]) {
    expect(output).toMatch(told)
  }
  expect(existsSync(join(folder, 'example'))).toBe(false)
}, 120_000)
