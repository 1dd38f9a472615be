import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineConfig } from 'vitest/config'

// `npm run check` runs the first kind only: the second starts a PostgreSQL.
const files = globSync('test/**/*.test.ts', { cwd: import.meta.dirname }).sort()
const isDatabase = (file: string) => needsDatabase(join(import.meta.dirname, file))

export default defineConfig({
  test: {
    projects: [
      project('unit', { include: files.filter((file) => !isDatabase(file)) }),
      project('database', {
        include: files.filter(isDatabase),
        globalSetup: ['test/pg/global.ts'],
      }),
    ],
    coverage: { include: ['src/**'] },
  },
})

function project(name: string, own: { include: string[]; globalSetup?: string[] }) {
  const timeouts = { testTimeout: 30_000, hookTimeout: 60_000 }
  return { test: { name, setupFiles: ['test/setup.ts'], allowOnly: false, ...timeouts, ...own } }
}

/** Whether a file starts or asks for a database, itself or through what it imports of the tests. */
function needsDatabase(file: string, seen = new Set<string>()): boolean {
  if (/\/(test\/(pg|scenario)\/|src\/db\/embedded|hammer\/matrix)/.test(file)) return true
  if (seen.has(file) || !file.includes('/test/') || !existsSync(file)) return false
  seen.add(file)
  const imports = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export|\}).* from '(\.[^']+\.ts)'$/gm,
  )
  return [...imports].some(([, path = '']) => needsDatabase(join(dirname(file), path), seen))
}
