import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { questionOf } from '../../src/domain/question.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import type { PolicyFiles } from '../../src/policy/files.ts'
import { createPdp, type Pdp, type PdpOptions } from '../../src/policy/pdp.ts'
import { freshDatabase } from '../pg/database.ts'
import { aChain, aSigner, files } from './world.ts'

const act = bySystem('test')
const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))

async function aPdp(more: Partial<PdpOptions> = {}) {
  const db = await freshDatabase()
  const reports: string[] = []
  const door = 'append_registered' as const
  const pdp = await createPdp({
    tenant: 'main',
    pool: db.pool('procura_pdp'),
    ledger: createLog({ tenant: 'main', pool: db.pool('procura_front'), door, sealer }),
    signer: aSigner(),
    report: (what, why) => reports.push(`${what}: ${why instanceof Error ? why.message : ''}`),
    ...more,
  })
  return { pdp, reports }
}

async function decision(pdp: Pdp) {
  const call = pdp.read({ tool: 'sql.query', arguments: { sql: 'select * from orders' } })
  const chain = aChain()
  return await pdp.decide(chain, questionOf(chain, call, null))
}

/** Waits for something of the background, at most half a minute. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 28_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('it has not come to that')
    await pause(20)
  }
}
const isCompiled = async (pdp: Pdp) => (await decision(pdp)).evaluator === 'compiled'

describe('a published set', () => {
  it('is decided by Cedar at once, and by compiled rules when they are shown to be the same', async () => {
    const { pdp, reports } = await aPdp()
    await pdp.publish(files, act)
    const first = await decision(pdp)
    expect(first).toMatchObject({ answer: { kind: 'allow' }, evaluator: 'cedar-wasm' })
    await until(() => isCompiled(pdp))
    const later = await decision(pdp)
    expect([later.answer, later.verdicts]).toEqual([first.answer, first.verdicts])
    expect(reports).toEqual([])

    // What is made again is made by Cedar, whatever made it first.
    const { answer, verdicts, snapshot } = later
    const again = await pdp.replay(snapshot)
    expect(again).toMatchObject({ answer, verdicts, evaluator: 'cedar-wasm' })
  })

  it('is decided by Cedar alone where that is said', async () => {
    const { pdp } = await aPdp({ evaluator: 'wasm' })
    await pdp.publish(files, act)
    for (let n = 0; n < 20; n += 1) {
      expect((await decision(pdp)).evaluator).toBe('cedar-wasm')
      await pause(20)
    }
  })

  it('that has more in it than is compiled is decided by Cedar, and the rule is named', async () => {
    const timely: PolicyFiles = {
      ...files,
      'more.cedar': `@id("not-yet") @say("not yet")
        forbid (principal, action == Action::"sql.query", resource)
        when { context.now < datetime("2020-01-01") };`,
    }
    const { pdp, reports } = await aPdp()
    await pdp.publish(timely, act)
    await until(async () => reports.length > 0)
    expect(reports).toEqual(['Cedar decides alone: not-yet: it looks at a time'])
    expect(await decision(pdp)).toMatchObject({
      answer: { kind: 'allow' },
      evaluator: 'cedar-wasm',
    })
    expect(pdp.isHealthy()).toBe(true)
  })
})
