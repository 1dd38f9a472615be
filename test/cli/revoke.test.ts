import { describe, expect, it } from 'vitest'
import { treeOf } from '../../src/cli/commands/revoke.ts'
import { procura } from './run.ts'

describe('what would be stopped', () => {
  it('is shown below what it rests on, however it was listed', () => {
    const at = (kind: string, id: string, under: string | null) => ({
      kind,
      id,
      under,
      agent_id: 'a',
    })
    const tree = treeOf([
      at('credential', 'crd_1', 'dlg_2'),
      at('delegation', 'dlg_2', 'dlg_1'),
      at('delegation', 'dlg_1', 'elsewhere'),
      at('session', 's', 'con_1'),
      at('consent', 'con_1', null),
    ])
    expect(tree).toEqual([
      'delegation dlg_1 · a',
      '  delegation dlg_2 · a',
      '    credential crd_1 · a',
      'consent con_1 · a',
      '  session s · a',
    ])
  })
})

describe('a line that is not understood', () => {
  it.each([
    [['revoke', 'everything', 'x'], 'Allowed choices are'],
    [['freeze', 'tool', '--reason', 'x'], 'tool NAME'],
    [['freeze', 'everything'], 'say why'],
  ])('%j ends with 2', async (args, said) => {
    const env = { PROCURA_URL: 'http://localhost:1', PROCURA_TOKEN: 'token' }
    const { code, stderr } = await procura(args, { env })
    expect([code, stderr]).toEqual([2, expect.stringContaining(said)])
  })
})
