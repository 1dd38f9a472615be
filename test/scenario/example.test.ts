/** The example, as somebody runs it: it has to go on telling the truth. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples')
const folder = mkdtempSync(join(tmpdir(), 'procura-example-'))
chmodSync(folder, 0o755) // When root runs the tests, somebody else runs the server.
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

async function run(example: string): Promise<string> {
  const env = { PATH: process.env['PATH'], PROCURA_DATA: folder }
  const main = join(EXAMPLES, example, 'main.ts')
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  const [code] = (await once(child, 'close')) as [number]
  const output = Buffer.concat(chunks).toString()
  expect(code, output).toBe(0)
  return output
}

it('two workers do what each was handed and nothing else, and nothing is left', async () => {
  const output = await run('handing-on')
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

it('[TOK-08] a service in three languages acts once, on exactly the call that was allowed', async () => {
  const output = await run('payments-target')
  const missing = /^left out +Python/m.test(output) ? ['Python'] : []
  for (const name of ['Express', 'node:http', 'Python'].filter((it) => !missing.includes(it))) {
    const told = (label: string, what: string) => new RegExp(`^${label} +${name} ${what}`, 'm')
    expect(output).toMatch(told('more', '403 .*args_(hash|mismatch)'))
    expect(output).toMatch(told('as allowed', '200 .*"refunded": ?900.*"dec_'))
    expect(output).toMatch(told('again', '401 .*already_redeemed'))
  }
  expect(existsSync(join(folder, 'example-payments'))).toBe(false)
}, 120_000)
