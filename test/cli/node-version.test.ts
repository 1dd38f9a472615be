import { describe, expect, it } from 'vitest'
import { cannotRun, lacksFixes } from '../../src/node-version.ts'

describe('the version of Node', () => {
  it.each(['22.12.0', '22.23.4', '24.0.0', '26.1.0'])('%s runs us', (version) => {
    expect(cannotRun(version)).toBeNull()
  })

  it.each(['18.20.4', '20.19.0', '22.11.9', '16.0.0'])(
    '%s does not, and is told a way',
    (version) => {
      expect(cannotRun(version)).toMatch(/22\.12\.0 or newer[\s\S]*npm ci/)
    },
  )

  it.each([
    ['22.23.4', false],
    ['22.23.3', true],
    ['22.24.0', false],
    ['23.9.0', true],
    ['24.22.0', true],
    ['24.22.1', false],
    ['26.12.0', true],
    ['27.0.0', false],
  ])('%s lacks security fixes [SUP-05]: %s', (version, lacks) => {
    expect(lacksFixes(version) !== null).toBe(lacks)
  })
})
