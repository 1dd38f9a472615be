/** The tests of one group, the one that `main.ts` names, and no others. */
import { defineConfig } from 'vitest/config'
import { GROUPS, isGroup, type Group } from './groups.ts'

const name = process.env['MUTATE']
if (!isGroup(name)) throw new Error('Run this by `npm run mutate -- <group>`')
const { tests, database }: Group = GROUPS[name]

export default defineConfig({
  test: {
    include: tests.map((path) => `test/${path}.test.ts`),
    setupFiles: ['test/setup.ts'],
    globalSetup: database ? ['test/pg/global.ts'] : [],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
