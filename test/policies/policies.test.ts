import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { readFolder } from '../../src/policy/folder.ts'
import { runCases } from '../../src/policy/vet.ts'
import { generatedSchema } from './generated.ts'

describe('the policies of this repository', () => {
  it('answer every case beside them as it says, and every rule makes an answer of one', async () => {
    const { files, findings, untested } = await runCases(await readFolder('policies'))
    expect(findings).toEqual([])
    expect(files.flatMap(({ failures }) => failures)).toEqual([])
    expect(untested).toEqual([])
    expect(files.map(({ file }) => file)).toEqual(['consent.cedar', 'payments.cedar', 'sql.cedar'])
    expect(Math.min(...files.map(({ cases }) => cases))).toBeGreaterThan(5)
  })

  it('are written against the schema that the tools amount to', async () => {
    expect(await readFile('policies/schema.cedarschema', 'utf8')).toBe(await generatedSchema())
  })
})
