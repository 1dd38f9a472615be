/**
 * The suite: `node test/run.ts` is all of it, `node test/run.ts check` what needs no database.
 * Goes on after a failure, so that everything is told. The last line is `N passed, N failed`.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const NODE = process.execPath
const ENV = {
  ...process.env,
  PATH: [BIN, dirname(NODE), process.env['PATH']].join(delimiter),
  REDOCLY_TELEMETRY: 'off',
  REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
}

interface Count {
  readonly passed: number
  readonly failed: number
  readonly skipped: readonly string[]
}

const NOTHING: Count = { passed: 0, failed: 0, skipped: [] }

interface Step {
  readonly name: string
  /** Run in turn; the first that fails ends the step. */
  readonly commands: readonly (readonly [command: string, ...args: string[]])[]
}

const isCheck = process.argv[2] === 'check'
// In the root, so that what is built finds its packages, its migrations and its policies.
const build = join(ROOT, `.build-${process.pid}`)

const STEPS: readonly Step[] = [
  { name: 'types', commands: [['tsc', '--noEmit']] },
  { name: 'format', commands: [['prettier', '--check', '--log-level=warn', '.']] },
  { name: 'walls', commands: [['depcruise', 'src', '--config', '.dependency-cruiser.cjs']] },
]

const LINT: Step = {
  name: 'lint',
  commands: [['nice', '-n', '19', 'eslint', '.', '--max-warnings=0']],
}

const FULL_STEPS: readonly Step[] = [
  {
    name: 'build',
    commands: [
      ['tsc', '-p', 'tsconfig.build.json', '--outDir', build],
      [NODE, join(build, 'cli', 'main.js'), '--help'],
    ],
  },
  { name: 'contract', commands: [['redocly', 'lint', 'openapi.yaml']] },
  { name: 'policies', commands: [[NODE, 'src/cli/main.ts', 'policy', 'test']] },
]

try {
  // Side by side, for they only read; then the tests by themselves, for some of them look at clocks. Only
  // what takes longest of it goes on beside them, with what they leave of the processor.
  const steps = isCheck ? STEPS : [...STEPS, ...FULL_STEPS]
  const linted = runStep(LINT)
  const counts = await Promise.all(steps.map(runStep))
  counts.push(await runTests(isCheck ? ['--project', 'unit'] : []), await linted)
  tell(counts)
} finally {
  rmSync(build, { recursive: true, force: true })
}

async function runStep({ name, commands }: Step): Promise<Count> {
  const since = performance.now()
  for (const [command, ...args] of commands) {
    const { code, output } = await run(command, args)
    if (code === 0) continue
    console.log(`✗ ${name} ${seconds(since)}: ${[command, ...args].join(' ')}\n${output}`)
    return { passed: 0, failed: 1, skipped: [] }
  }
  console.log(`✓ ${name} ${seconds(since)}`)
  return { passed: 1, failed: 0, skipped: [] }
}

async function runTests(which: readonly string[]): Promise<Count> {
  const folder = mkdtempSync(join(tmpdir(), 'procura-report-'))
  const report = join(folder, 'vitest.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  try {
    const args = ['run', '--silent=passed-only', ...reporters, ...which]
    const { code } = await run('vitest', args, 'shown')
    const count = existsSync(report) ? countOf(readFileSync(report, 'utf8')) : NOTHING
    const isAmiss = code !== 0 || count.passed === 0
    if (!isAmiss || count.failed > 0) return count
    console.log(`✗ tests: vitest ended with ${code}, and ${count.passed} tests passed`)
    return { ...count, failed: 1 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Counts tests; a file that fails beside its tests (it does not load, it leaks) counts as one more. */
function countOf(report: string): Count {
  const { testResults } = JSON.parse(report) as Report
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
  const failed = tests.filter(({ status }) => status === 'failed')
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  const passed = tests.filter(({ status }) => status === 'passed')
  const skipped = tests.filter((test) => !failed.includes(test) && !passed.includes(test))
  return {
    passed: passed.length,
    failed: failed.length + broken.length,
    skipped: skipped.map(({ ancestorTitles, title }) =>
      [...ancestorTitles, title].filter((name) => name !== '').join(' › '),
    ),
  }
}

interface Report {
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly {
      readonly status: string
      readonly title: string
      readonly ancestorTitles: readonly string[]
    }[]
  }[]
}

/** The totals. A test that may be skipped says why in its name. */
function tell(counts: readonly Count[]): void {
  const total = (of: 'passed' | 'failed') => counts.reduce((sum, count) => sum + count[of], 0)
  const skipped = counts.flatMap((count) => count.skipped)
  for (const name of skipped) console.log(`skipped: ${name}`)
  const tail = skipped.length > 0 ? `, ${skipped.length} skipped` : ''
  if (total('failed') > 0) process.exitCode = 1
  console.log(`${total('passed')} passed, ${total('failed')} failed${tail}`)
}

async function run(
  command: string,
  args: readonly string[],
  output: 'kept' | 'shown' = 'kept',
): Promise<{ code: number; output: string }> {
  const stdio = output === 'shown' ? 'inherit' : 'pipe'
  const child = spawn(command, args, { cwd: ROOT, env: ENV, stdio: ['ignore', stdio, stdio] })
  const said: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => said.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk))
  return await new Promise((resolve) => {
    const end = (code: number, last = '') => {
      resolve({ code, output: Buffer.concat(said).toString() + last })
    }
    child.on('error', (error) => {
      end(1, error.message)
    })
    child.on('close', (code) => {
      end(code ?? 1)
    })
  })
}

function seconds(since: number): string {
  return `(${((performance.now() - since) / 1000).toFixed(1)} s)`
}
