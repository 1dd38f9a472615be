import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineConfig } from 'vitest/config'

// `npm run check` runs the first kind only: the others start a PostgreSQL.
const files = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).sort()
const isDatabase = (file: string) => needsDatabase(join(import.meta.dirname, file))
// Look at how long things take while something is broken: mostly they wait. When the others are over.
const isBroken = (file: string) => /^test\/faults/.test(file)
// Flood the machine: one after another, last.
const isFlood = (file: string) => /^test\/lines\/dos/.test(file)
const globalSetup = ['test/pg/global.ts']
const broken = { maxWorkers: 2, sequence: { groupOrder: 1 } }
const flooding = { maxWorkers: 1, sequence: { groupOrder: 2 } }

export default defineConfig({
  test: {
    // They wait (for an end, for a process) half of their time, on the two cores that are reckoned with.
    maxWorkers: 3,
    projects: [
      project('unit', { include: files.filter((file) => !isDatabase(file)) }),
      project('database', {
        include: files.filter((file) => isDatabase(file) && !isBroken(file) && !isFlood(file)),
        globalSetup,
      }),
      project('faults', {
        include: files.filter((file) => isDatabase(file) && isBroken(file)),
        globalSetup,
        ...broken,
      }),
      project('alone', {
        include: files.filter((file) => isDatabase(file) && isFlood(file)),
        globalSetup,
        ...flooding,
      }),
    ],
    coverage: { include: ['src/**'] },
  },
})

interface Own extends Partial<typeof flooding> {
  readonly include: string[]
  readonly globalSetup?: string[]
}

function project(name: string, own: Own) {
  const timeouts = {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // How long is waited, and not how long something may take: that is said where it is looked at.
    expect: { poll: { timeout: 10_000 } },
  }
  return { test: { name, setupFiles: ['test/setup.ts'], allowOnly: false, ...timeouts, ...own } }
}

/** Whether a file starts or asks for a database or a Ceph, itself or through what it imports of the tests. */
function needsDatabase(file: string, seen = new Set<string>()): boolean {
  if (/\/(test\/(pg|scenario)\/|test\/parts\/ceph|src\/db\/embedded|hammer\/matrix)/.test(file))
    return true
  if (seen.has(file) || !file.includes('/test/') || !existsSync(file)) return false
  seen.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(
    /^(?:(?:import|export|\}).* from|import) '(\.[^']+\.ts)'$/gm,
  )
  return [...imports].some(([, path = '']) => needsDatabase(join(dirname(file), path), seen))
}
