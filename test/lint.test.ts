import { ESLint } from 'eslint'
import { describe, expect, it } from 'vitest'
// @ts-expect-error -- plain JavaScript, shared with the command line
import config from '../eslint.config.js'
import { tree } from './fakes/tree.ts'

const TSCONFIG = JSON.stringify({
  compilerOptions: { strict: true, module: 'nodenext', noEmit: true, types: [] },
})

/** The rules that the text breaks, in a project of its own where it is that file. */
async function broken(file: string, text: string): Promise<string[]> {
  const cwd = tree({ 'tsconfig.json': TSCONFIG, [file]: text })
  const eslint = new ESLint({ cwd, overrideConfigFile: true, overrideConfig: config as [] })
  const [result] = await eslint.lintFiles([file])
  return result?.messages.map(({ ruleId, message }) => `${ruleId ?? 'fatal'}: ${message}`) ?? []
}

const SYNTAX = 'no-restricted-syntax'
const FORGETFUL = "export function x(y: 'a' | 'b'): void { switch (y) { case 'a': break } }"
const FIVE = 'export const x = (a: 1, b: 1, c: 1, d: 1, e: 1) => [a, b, c, d, e]'
const WRITES = 'declare function write(): Promise<void>;'

describe('the linter', () => {
  it.each([
    ['a promise nobody waits for', 'ledger/log.ts', `${WRITES} write()`, 'no-floating-promises'],
    [
      'one thrown away with void',
      'ledger/log.ts',
      `${WRITES} void write()`,
      'no-floating-promises',
    ],
    ['a clock of its own', 'policy/pdp.ts', 'export const x = Date.now()', SYNTAX],
    ['the same, as an object', 'policy/pdp.ts', 'export const x = new Date()', SYNTAX],
    ['JSON read its own way', 'http/read.ts', "export const x: unknown = JSON.parse('')", SYNTAX],
    ['the environment', 'db/connect.ts', 'export const x: unknown = process.env', SYNTAX],
    ['a default export', 'domain/ids.ts', 'export default 1', SYNTAX],
    ['an enum', 'domain/ids.ts', 'export enum X { A }', SYNTAX],
    [
      'all columns',
      'ledger/log.ts',
      'declare const db: { selectAll(): void }; db.selectAll()',
      SYNTAX,
    ],
    ['a swallowed error', 'ledger/log.ts', 'try { Reflect.ownKeys({}) } catch {}', 'no-empty'],
    ['any', 'domain/ids.ts', 'export const x = (y: any): number => y.z', 'no-explicit-any'],
    [
      'a random answer',
      'policy/evaluate.ts',
      'export const x = crypto.randomUUID()',
      'restricted-globals',
    ],
    ['a missing case', 'domain/ids.ts', FORGETFUL, 'switch-exhaustiveness-check'],
    ['a fifth parameter', 'domain/ids.ts', FIVE, 'max-params'],
  ])('refuses %s', async (_what, file, text, rule) => {
    expect((await broken(`src/${file}`, text)).join('\n')).toContain(rule)
  })

  it.each([
    ['a module replaced', 'broker.test.ts', "vi.mock('../src/broker.ts')"],
    ['a spy outside the fakes', 'broker.test.ts', 'export const spy = vi.fn()'],
    ['a module replaced by a fake', 'fakes/broker.ts', "vi.mock('../../src/broker.ts')"],
  ])('refuses %s in tests', async (_what, file, text) => {
    const vi = 'declare const vi: { mock(path: string): void; fn(): void };'
    expect((await broken(`test/${file}`, `${vi} ${text}`)).join('\n')).toContain(SYNTAX)
  })

  it.each([
    ['src/domain/json.ts', "export const x: unknown = JSON.parse('')"],
    ['src/server.ts', 'export const now = () => new Date()'],
    ['src/domain/ids.ts', 'export const at = (seconds: number) => new Date(seconds * 1000)'],
    ['test/fakes/clock.ts', 'export const now = () => new Date()'],
    ['src/ledger/log.ts', `${WRITES} export const x = async () => { await write() }`],
  ])('lets %s say what it must', async (file, text) => {
    expect(await broken(file, text)).toEqual([])
  })
})
