import { describe, expect, it } from 'vitest'
import { bindingHash } from '../../src/domain/binding.ts'
import { digestOf } from '../../src/domain/digest.ts'
import type { Decision, Settled } from '../../src/domain/decision.ts'
import { unavailable } from '../../src/domain/problems.ts'
import { readToken } from '../../src/domain/jws.ts'
import { Recorded } from '../../src/domain/recorded.ts'
import { decide } from '../../src/policy/decide.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { sign } from '../../src/policy/sign.ts'
import { inputFrom } from '../../src/policy/snapshot.ts'
import { IDS, NOW } from '../fakes/settled.ts'
import { type Asked, asked, files, inForce, aSigner } from './world.ts'

const set = await inForce()
const decided = (sql: string, how?: Asked): Decision => decide(set, ...asked(set, sql, how))
const inSeconds = (seconds: number) => new Date(NOW.getTime() + seconds * 1000)

describe('a decision', () => {
  it('of an allow has the grant, what it spends, and all its hashes', () => {
    const decision = decided('select * from orders')
    expect(decision).toMatchObject({
      ...{ level: 'L1', ttlSeconds: 60, approval: null, policySetHash: set.hash, policyEpoch: 1 },
      answer: { kind: 'allow', rules: [{ id: 'orders-are-read' }] },
      grant: {
        target: 'orders-db',
        connector: 'postgres',
        ttlSeconds: 60,
        senderConstraint: 'none',
      },
      debits: [{ account: IDS.consent, key: 'calls', type: 'max_subtree', amount: 1 }],
      contextHash: digestOf(decision.snapshot),
    })
  })

  it.each([
    [
      'a table without a rule',
      'select * from invoices',
      {},
      { code: 'access_denied', reason: 'no_permit' },
    ],
    [
      'a forbidden table',
      'select * from payroll',
      {},
      {
        reason: 'forbid',
        rules: [{ id: 'payroll-is-closed' }],
        detail: "forbid 'payroll-is-closed' applied for the sponsor: no agent reads payroll",
      },
    ],
    [
      'a table outside the consent',
      'select * from customers',
      { terms: { constraints: [{ key: 'facts.tables', subset_of: ['public.orders'] }] } },
      { code: 'outside_authority', outcome: 'ceiling_exceeded' },
    ],
    [
      'a tool outside the consent',
      'select * from orders',
      { terms: { tools: ['payments.*'] } },
      { code: 'outside_authority', outcome: 'scope_not_granted' },
    ],
    [
      'a use that no role is prepared for',
      'update orders_archive set x = 1; select 1',
      {},
      { reason: 'no_permit' },
    ],
    [
      'a consent that ends within the second',
      'select * from orders',
      { terms: { expiresAt: inSeconds(0.9) } },
      { code: 'chain_invalid', outcome: 'expired' },
    ],
  ] as [string, string, Asked, object][])(
    'of %s gives and spends nothing',
    (_what, sql, how, answer) => {
      const decision = decided(sql, how)
      expect(decision.answer).toMatchObject({ kind: 'deny', ...answer })
      expect(decision).toMatchObject({ grant: null, debits: [], level: null, approval: null })
    },
  )

  it('denies what the rules allow and the target has no role for', async () => {
    const text = (files['sql.cedar'] ?? '').replaceAll('"public.customers"', '"public.invoices"')
    const own = await inForce({ ...files, 'sql.cedar': text, 'sql.test.yaml': '[]' })
    const decision = decide(own, ...asked(own, 'select * from invoices'))
    expect(decision.answer).toMatchObject({
      ...{ kind: 'deny', code: 'access_denied', reason: 'no_permit' },
      detail: 'no role is prepared to read public.invoices',
      stoppedBy: { hop: 0, kind: 'agent', id: IDS.agent },
    })
  })

  it('asks, and with the yes to exactly that is allowed for no longer than the yes holds', () => {
    const how = { terms: { purpose: 'maintenance' } }
    const first = decided('drop table orders', how)
    expect(first).toMatchObject({
      ...{ level: 'L2', grant: null },
      answer: { kind: 'ask', asked: { of: ['dba-oncall'], level: 'L2', withinSeconds: 600 } },
    })
    if (first.answer.kind !== 'ask') throw new Error('it was not asked')
    const approval = {
      ...{ id: IDS.approval, bindingHash: first.bindingHash, asked: first.answer.asked },
      approvedUntil: inSeconds(30.5),
    }
    const again = decided('drop table orders', { ...how, approval })
    expect(again).toMatchObject({ level: 'L2', approval: IDS.approval, grant: { ttlSeconds: 30 } })
    expect(decided('drop table order_items', { ...how, approval }).answer.kind).toBe('ask')
  })

  it('binds an approval to the call, the path and the version of the tool', () => {
    const [chain, { call }] = asked(set, 'select 1')
    const same = bindingHash(chain, call, 'L2')
    const other = { ...call, tool: { ...call.tool, hash: 'another' } }
    const [hop] = chain.hops
    const differing = [
      bindingHash(chain, call, 'L3'),
      bindingHash(chain, other, 'L2'),
      bindingHash(chain, { ...call, argsHash: 'another' }, 'L2'),
      bindingHash(chain, { ...call, purpose: 'support' }, 'L2'),
      bindingHash({ ...chain, hops: [hop, { ...hop, depth: 1 }] }, call, 'L2'),
    ]
    expect(new Set([same, ...differing]).size).toBe(6)
    const anotherRun = { ...chain, hops: [{ ...hop, jkt: 'another' }] as const }
    expect(bindingHash(anotherRun, call, 'L2')).toBe(same)
  })

  it('[POL-11] cites one set: a call that was read under another version of its tool is stale', async () => {
    const text = (files['tools/sql.query.yaml'] ?? '').replace('max: 300', 'max: 301')
    const other = await inForce({ ...files, 'tools/sql.query.yaml': text })
    expect(() => decide(other, ...asked(set, 'select * from orders'))).toThrow(
      expect.objectContaining({ code: 'decision_stale' }),
    )
  })

  it.each(['select * from orders', 'select * from payroll', 'drop table orders', 'nonsense'])(
    '[POL-17] of %s is made again from its snapshot, to the letter',
    (sql) => {
      const { snapshot, answer, verdicts, level } = decided(sql, {
        terms: { purpose: 'maintenance' },
      })
      const kept = JSON.parse(JSON.stringify(snapshot)) as typeof snapshot
      const { question, bindings } = inputFrom(kept, set)
      expect(evaluate(set.policies, question, bindings)).toMatchObject({ answer, verdicts, level })
    },
  )
})

describe('a signed decision', () => {
  const signer = aSigner()
  const settled = (decision: Decision): Settled => ({
    ...{ decision, revocationEpoch: 7, spent: [], asked: null },
  })
  const recorded = (decision: Decision) => Recorded.onRecord(settled(decision), 0, IDS.event)

  it('carries what making the credential takes, for at most a minute from the reading', async () => {
    const decision = decided('select * from orders')
    const token = await sign(recorded(decision), signer)
    const { claims } = readToken('decision', token, signer, { now: inSeconds(59) })
    expect(claims).toMatchObject({
      ...{ iss: 'https://broker.example/pdp', aud: 'https://broker.example/cdp' },
      ...{ jti: decision.id, credential_id: decision.credential, sub: IDS.sponsor },
      ...{ client_id: IDS.agent, instance_id: IDS.instance, cnf: { jkt: 'jkt' }, chain: null },
      ...{ tool: 'sql.query', target: 'orders-db', connector: 'postgres', level: 'L1' },
      grant: {
        target: 'orders-db',
        connector: 'postgres',
        permissions: { roles: ['orders_read'] },
      },
      ...{
        policy_epoch: 1,
        revocation_epoch: 7,
        policy_set_hash: set.hash,
        approvals: [],
        conditions: [],
      },
    })
    expect(Number(claims['exp']) - Number(claims['iat'])).toBe(60)
    expect(() => readToken('decision', token, signer, { now: inSeconds(60) })).toThrow('expired')
  })

  it('is made of nothing but an allow', async () => {
    for (const sql of ['select * from payroll', 'select * from invoices']) {
      const signed = sign(recorded(decided(sql)), signer)
      await expect(signed).rejects.toThrow('only an allow is signed')
    }
  })

  it('that nobody could sign is told as that, with its id: it is on record', async () => {
    const [key] = signer.keys
    const away = { ...key, sign: () => Promise.reject(unavailable('keys')) }
    const decision = decided('select * from orders')
    const signed = sign(recorded(decision), { ...signer, keys: [away] })
    await expect(signed).rejects.toMatchObject({
      code: 'unavailable',
      shown: {
        ...{ decision: decision.id, evaluation: { unavailableInput: 'keys' } },
        fix: expect.stringContaining('new Idempotency-Key') as string,
      },
    })
  })

  it('says nothing of the arguments but their digest', async () => {
    const token = await sign(recorded(decided("select 'canary-6f1b' from orders")), signer)
    expect(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).not.toContain('canary')
  })
})
