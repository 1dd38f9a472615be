/** Handing on, by hand and by program, at a broker as `procura dev` starts it. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readAgent, selfAssertion } from '../../src/cli/context.ts'
import { createClient } from '../../src/client/client.ts'
import { CannotDelegate, Refused } from '../../src/client/errors.ts'
import { generateKey } from '../../src/client/key.ts'
import { procura, type Ran } from '../cli/run.ts'
import { type Process, start } from './broker.ts'
import { COUNT } from './house.ts'

const folder = mkdtempSync(join(tmpdir(), 'procura-handing-'))
chmodSync(folder, 0o755) // When root runs the tests, somebody else runs the server.
const env = { PROCURA_DATA: folder }
let dev: Process
let issuer: string

beforeAll(async () => {
  const started = await start(['dev'], { ...env, PROCURA_PORT: '0' }, /--reset removes it/)
  issuer = /api +(\S+)/.exec(started.stdout())?.[1] ?? ''
  dev = started
})
afterAll(async () => {
  dev.signal('SIGINT')
  await dev.ended
  rmSync(folder, { recursive: true, force: true })
})

const run = (args: readonly string[], chain?: string): Promise<Ran> =>
  procura(args, { env: { ...env, ...(chain === undefined ? {} : { PROCURA_DELEGATION: chain }) } })
const json = ({ stdout, stderr }: Ran) => {
  if (stdout === '') throw new Error(stderr)
  return JSON.parse(stdout) as Record<string, unknown>
}
const ORDERS = ['--where', 'facts.tables=public.orders', '--purpose', 'reporting.weekly']
const get = (sql: string) => ['get', 'sql.query', '--sql', sql, '--purpose', 'reporting.weekly']

describe('procura delegate', () => {
  it('tells what the delegate may, what it does not get, how deep it is, and what to hand over', async () => {
    const { code, stdout } = await run([
      'delegate',
      '--to',
      'chart-maker',
      '--calls',
      '7',
      ...ORDERS,
    ])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^delegated +chart-maker may: sql\.query for reporting\.weekly$/m)
    expect(stdout).toMatch(/^ +facts\.tables only public\.orders$/m)
    expect(stdout).toMatch(/^ +7 calls in all$/m)
    expect(stdout).toMatch(/^dropped +.*facts\.tables public\.customers.*report-bot has this/m)
    expect(stdout).toMatch(/^depth +1 of 3$/m)
    expect(stdout).toMatch(/^ +PROCURA_DELEGATION=\S+~\S+$/m)
    expect(stdout).toMatch(/^ +dlg_\w+$/m)
  })

  it('hands on what then works within its bounds, is counted, and is shown', async () => {
    const handed = json(
      await run(['delegate', '--to', 'chart-maker', '--calls', '2', '--json', ...ORDERS]),
    )
    const [id, chain] = [String(handed['id']), String(handed['chain'])]
    expect((await run(get(COUNT), chain)).stdout).toMatch(/^issued/)
    const outside = await run(get('select count(*) from customers'), chain)
    expect(outside.code).toBe(3)
    expect(outside.stderr).toMatch(/^code +outside_authority ceiling_exceeded/m)
    expect((await run(get(COUNT), chain)).code).toBe(0)
    const spent = await run(get(COUNT), chain)
    expect([spent.code, spent.stderr]).toEqual([3, expect.stringContaining('budget_exhausted')])

    const { stdout, code } = await run(['chain', 'show', id])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^consented +ana: report-bot may use sql\.query for reporting$/m)
    expect(stdout).toMatch(/^root +└ report-bot/m)
    expect(stdout).toMatch(/^hop 1 +└ chart-maker for reporting\.weekly$/m)
    expect(stdout).toMatch(/^ +dropped purpose reporting · facts\.tables public\.customers/m)
    expect(stdout).toMatch(/^ +2 calls in all, 0 left$/m)
    expect(stdout).toMatch(/^ +done under it: 2 allowed, 0 asked, 2 denied · 2 credentials/m)
    expect(stdout).toMatch(/^verified +valid$/m)
    expect(json(await run(['chain', 'show', id, '--json', '--as', 'ana']))).toMatchObject({ id })
    expect((await run(['chain', 'show', id, '--as', 'kim'])).code).toBe(1)
  })

  it.each([
    [['--where', 'facts.tables=public.payroll'], 3, /facts\.tables adds public\.payroll/],
    [['--tool', 'payments.refund'], 3, /payments\.refund is not held/],
    [['--for', '7d'], 3, /last longer than what it rests on/],
    [['--where', 'nonsense'], 2, /is no bound/],
    [['--from', 'refund-bot'], 3, /does not let this agent hand anything on/],
    [['--to', 'agt_01m7ysq11heassstccc64q4cf1'], 2, /give --key/],
  ])('refuses %j with what would do', async (more, exit, says) => {
    const { code, stdout, stderr } = await run(['delegate', '--to', 'chart-maker', ...more])
    expect([code, stdout]).toEqual([exit, ''])
    expect(stderr).toMatch(says)
  })

  it('is of no use to an agent that it is not for, nor where its key is not', async () => {
    const handed = json(await run(['delegate', '--to', 'chart-maker', '--json', ...ORDERS]))
    const chain = String(handed['chain'])
    const own = await run([...get(COUNT), '--agent', 'refund-bot'], chain)
    expect([own.code, own.stderr]).toEqual([3, expect.stringContaining('outside_authority')])
    const elsewhere = { PROCURA_URL: issuer, PROCURA_DELEGATION: chain }
    const keyless = await procura(get(COUNT), { env: elsewhere })
    expect([keyless.code, keyless.stderr]).toEqual([2, expect.stringContaining('key is not here')])
    const stranger = ['--to', 'agt_01m7ysq11heassstccc64q4cf1', '--key', generateKey().jkt]
    const refused = await run(['delegate', ...stranger])
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringContaining('chain_invalid delegate_not_allowed'),
    ])
  })
})

describe('a client', () => {
  /** One run of an agent whose registered key lies in the data folder. */
  function aRun(name: string, chain?: string, key = generateKey()) {
    const { id, key: registered } = readAgent(name, folder)
    const assertion = () => selfAssertion(id, registered, issuer)
    const client = createClient({
      issuer,
      key,
      assertion,
      ...(chain === undefined ? {} : { chain }),
    })
    return { id, key, client, to: { agent: id, jkt: key.jkt } }
  }
  const call = { tool: 'sql.query', arguments: { sql: COUNT }, purpose: 'reporting.weekly' }

  it('opens a session from what was handed on, renews it, and hands less of it on', async () => {
    const [parent, key, next] = [aRun('report-bot'), generateKey(), aRun('report-bot')]
    const worker = readAgent('chart-maker', folder)
    const handed = await parent.client.delegate({
      ...{ to: { agent: worker.id, jkt: key.jkt }, purpose: 'reporting.weekly', calls: 5 },
    })
    const { client } = aRun('chart-maker', handed.chain, key)
    expect(client.jkt).toBe(key.jkt)
    expect(await client.connect()).toMatchObject({ delegation_id: handed.id })
    expect(await client.connect(), 'shown its last hop alone').toMatchObject({
      delegation_id: handed.id,
    })
    expect(await client.requestCredential(call)).toMatchObject({ status: 'active' })

    const further = await client.delegate({ to: next.to, calls: 2, ttl: 60 })
    expect(further).toMatchObject({ depth: 2, dropped: { constraints: [{ was: 5, is: 2 }] } })
    const below = aRun('report-bot', further.chain, next.key).client
    expect(await below.requestCredential(call)).toMatchObject({ status: 'active' })
    expect(await client.delegation(further.id)).toMatchObject({
      ...{ status: 'active', depth: 2 },
      budgets: expect.arrayContaining([
        { account: handed.id, key: 'calls', type: 'max_subtree', limit: 5, used: 2 },
        { account: further.id, key: 'calls', type: 'max_subtree', limit: 2, used: 1 },
      ]) as unknown,
    })
  })

  it('does not get into a chain that names another key', async () => {
    const [parent, key] = [aRun('report-bot'), generateKey()]
    const { chain } = await parent.client.delegate({
      to: { agent: readAgent('chart-maker', folder).id, jkt: key.jkt },
    })
    const thief = aRun('chart-maker', chain)
    await expect(thief.client.connect()).rejects.toMatchObject({
      ...{ name: 'Refused', code: 'chain_invalid' },
      problem: { outcome: 'holder_binding_failed', hop: 1 },
    })
  })

  it('asks nobody for what would be wider', async () => {
    const { client, to } = aRun('report-bot')
    const wider = client.delegate({ to, tools: ['payments.refund'] })
    await expect(wider).rejects.toBeInstanceOf(CannotDelegate)
    const stranger = aRun('keeper-bot')
    const elsewhere = client.delegate({ to: stranger.to })
    await expect(elsewhere).rejects.toBeInstanceOf(Refused)
    await expect(elsewhere).rejects.toMatchObject({
      problem: { outcome: 'delegate_not_allowed', hop: 1 },
    })
  })
})
