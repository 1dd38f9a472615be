/** The whole path over real HTTP, against a started broker, knowing nothing of its inside. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { checkDead, logIn, refusedBy } from '../../src/cli/demo/login.ts'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import { generateKey } from '../../src/client/key.ts'
import { createCaller, createService } from '../../src/client/person.ts'
import { sha256 } from '../../src/domain/digest.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { openCheckpoint, vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyInclusion } from '../../src/ledger/merkle.ts'
import { freshDatabase, freshTarget, type TestTarget } from '../pg/database.ts'
import type { BrokerProcess } from './broker.ts'
import {
  aHouse,
  aRun,
  callers,
  COUNT,
  eventually,
  type House,
  READING,
  REFUND,
  REFUNDING,
} from './house.ts'
import { SHAPES } from './shapes.ts'

describe.each(SHAPES)('as $shape', ({ start }) => {
  let home: House
  let broker: BrokerProcess
  let target: TestTarget
  let by: ReturnType<typeof callers>

  beforeAll(async () => {
    const database = await freshDatabase()
    target = await freshTarget()
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    home = await aHouse({ databaseUrl: database.url, shop })
    broker = await start({ home, database })
    by = callers(home, broker.issuer)
  })

  const query = (sql: string, more: JsonObject = {}) => ({
    ...{ tool: 'sql.query', arguments: { sql } },
    ...more,
  })
  const refused = async (attempt: Promise<unknown>) => {
    const error = await attempt.then(
      () => null,
      (thrown: unknown) => thrown,
    )
    if (!(error instanceof Refused)) throw new Error('it was not refused', { cause: error })
    return { status: error.status, code: error.code, problem: error.problem }
  }

  describe('one credential, start to finish', () => {
    it('goes from a consent to a working login that does what was asked and nothing else', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const session = await run.client.connect()
      expect(session).toMatchObject({ token_type: 'DPoP', consent_id: run.consent })

      expect(await run.client.explain(query(COUNT))).toMatchObject({ answer: 'allow' })
      const answer = await run.client.requestCredential(query(COUNT))
      if (answer.status !== 'active') throw new Error('nobody was to be asked')
      const login = await logIn(answer.credential)
      expect(await login.query(COUNT)).toEqual([{ count: '412' }])
      expect(await refusedBy(login.query('select * from payroll'))).toBe('42501')
      expect(await refusedBy(login.query('delete from orders'))).toMatch(/42501|25006/)
      expect(await refusedBy(logIn(answer.credential))).toBe('53300')

      const { status } = await run.client.giveBack(answer.id)
      expect(status).toBe('returned')
      await eventually('the end of the session', () => Promise.resolve(login.isOver()))
      await checkDead(answer.credential)
      const roles = await target.query('select from pg_roles where rolname = $1', [login.username])
      expect(roles).toEqual([])
      expect((await run.client.giveBack(answer.id))['status']).toBe('returned')
    })

    it('says why not: what stopped it, and what would help', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const outside = await refused(run.client.requestCredential(query('select * from payroll')))
      expect(outside).toMatchObject({ status: 403, code: 'outside_authority' })
      expect(outside.problem).toMatchObject({ evaluation: { status: 'evaluated' } })
      for (const member of ['fix', 'agent_hint', 'decision_id', 'stopped_by']) {
        expect(outside.problem[member], member).toBeTruthy()
      }
      const drop = await refused(run.client.requestCredential(query('drop table orders')))
      expect(drop).toMatchObject({ status: 403, code: 'access_denied' })
      const elsewhere = query(COUNT, { purpose: 'maintenance' })
      expect((await refused(run.client.requestCredential(elsewhere as never))).code).toBe(
        'outside_authority',
      )
      const unknown = { tool: 'no.such', arguments: {} }
      expect(await refused(run.client.requestCredential(unknown))).toMatchObject({ status: 422 })
    })

    it('answers a retry with the same ids, and never with the secret again', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const first = await run.client.requestCredential(query(COUNT), 'the-same-key')
      if (first.status !== 'active') throw new Error('nobody was to be asked')
      const again = await refused(run.client.requestCredential(query(COUNT), 'the-same-key'))
      expect(again.code).toBe('idempotency_replayed')
      const other = query('select 1 from orders')
      expect(await refused(run.client.requestCredential(other, 'the-same-key'))).toMatchObject({
        status: 422,
        code: 'idempotency_mismatch',
      })
      await run.client.giveBack(first.id)
    })

    it('gives a token that its target spends once', async () => {
      const run = await aRun(by.as('kim'), broker.issuer, REFUNDING)
      const ask = { tool: 'payments.refund', arguments: REFUND }
      const answer = await run.client.requestCredential(ask)
      if (answer.status !== 'active') throw new Error('nobody was to be asked')
      const token = textIn(answer.credential, 'token')
      expect(await by.service.introspect(token)).toMatchObject({ active: true, jti: answer.id })

      const argsHash = textIn(answer.body, 'args_hash')
      const spending = { token, tool: ask.tool, args_hash: argsHash, proof_checked: true }
      const spend = (more: JsonObject = {}) =>
        by.service.post('/v1/redemptions', { ...spending, ...more })
      expect((await refused(spend({ args_hash: sha256('others') }))).code).toBe('args_mismatch')
      expect(await spend()).toMatchObject({ credential_id: answer.id })
      expect(await refused(spend())).toMatchObject({ status: 409, code: 'already_redeemed' })
      expect(await by.service.introspect(token)).toEqual({ active: false })
      expect((await run.client.credential(answer.id))['status']).toBe('redeemed')
    })

    it('asks a person, and takes the yes for exactly that call, once', async () => {
      const keeping = { tools: ['sql.query'], purpose: 'maintenance' }
      const run = await aRun(by.as('kim'), broker.issuer, keeping)
      const drop = query('drop table orders_archive')
      const asked = await run.client.requestCredential(drop)
      if (asked.status !== 'pending') throw new Error('somebody was to be asked')
      const path = `/v1/approvals/${asked.approval}`
      const { binding_hash: hash = null, sponsor } = await by.as('ben').get(path)
      expect(sponsor).toMatchObject({ display: 'Kim' })
      const yes = { decision: 'approve', binding_hash: hash }
      expect((await refused(by.as('kim').post(`${path}/decision`, yes))).status).toBe(403)
      await by.as('ben').post(`${path}/decision`, yes)

      const { approval } = asked
      const other = { ...query('drop table orders'), approval }
      expect((await refused(run.client.requestCredential(other))).code).toBe('args_mismatch')
      const answer = await run.client.requestCredential({ ...drop, approval })
      if (answer.status !== 'active') throw new Error('the yes was to be enough')
      const login = await logIn(answer.credential)
      await login.query('drop table orders_archive')
      expect((await refused(run.client.requestCredential({ ...drop, approval }))).code).toBe(
        'approval_consumed',
      )
      await run.client.giveBack(answer.id)
    })

    it('stops with the consent: the next request, and the login that is out there', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const answer = await run.client.requestCredential(query(COUNT))
      if (answer.status !== 'active') throw new Error('nobody was to be asked')
      const login = await logIn(answer.credential)
      const id = textIn(await by.as('ana').delete(`/v1/consents/${run.consent}`), 'id')
      expect(await refused(run.client.requestCredential(query(COUNT)))).toMatchObject({
        status: 403,
        code: 'chain_invalid',
      })
      await eventually('the end of the session', () => Promise.resolve(login.isOver()))
      await checkDead(answer.credential)
      await eventually('its confirmation', async () => {
        const { confirmations } = await by.as('ana').get(`/v1/revocations/${id}`)
        return (confirmations as JsonObject)['pending'] === 0
      })
    })

    it('lives no longer than it says, nor does a session that is open', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const answer = await run.client.requestCredential({ ...query(COUNT), ttl_seconds: 4 })
      if (answer.status !== 'active') throw new Error('nobody was to be asked')
      const login = await logIn(answer.credential)
      await eventually('the end of the session', () => Promise.resolve(login.isOver()))
      await checkDead(answer.credential)
      await eventually('its end on record', async () => {
        return (await run.client.credential(answer.id))['status'] === 'expired'
      })
    })
  })

  describe('the record', () => {
    it('has the decision, and a proof that anybody can check with the public key', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const answer = await run.client.requestCredential(query(COUNT))
      if (answer.status !== 'active') throw new Error('nobody was to be asked')
      const decision = textIn(answer.body, 'decision_id')
      expect(await run.client.decision(decision)).toMatchObject({ id: decision, answer: 'allow' })
      const auditor = by.as('cleo')
      expect(await auditor.get(`/v1/decisions/${decision}`)).toMatchObject({ answer: 'allow' })

      const event = textIn(answer.body, 'event_id')
      const proof = await eventually('a checkpoint over it', () =>
        auditor.get(`/v1/ledger/proof/inclusion?event_id=${event}`).catch((error: unknown) => {
          if (error instanceof Refused && error.code === 'not_yet_checkpointed') return null
          throw error
        }),
      )
      const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
      const origin = `${new URL(broker.issuer).host}/v1/ledger`
      const signed = openCheckpoint(textIn(proof, 'checkpoint'), [vkeyOf(origin, key)])
      const octets = (text: unknown) => Buffer.from(String(text), 'base64')
      expect(
        verifyInclusion({
          ...{ index: Number(proof['index']), size: signed.size, root: signed.root },
          leaf: octets(proof['leaf_hash']),
          hashes: (proof['hashes'] as string[]).map(octets),
        }),
      ).toBe(true)
      await run.client.giveBack(answer.id)
    })

    it('grows no privileges at the target, however many logins came and went', async () => {
      const grants = () =>
        target.query(`select coalesce(sum(cardinality(relacl)), 0)::int as n from pg_class`)
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const before = await grants()
      for (let n = 0; n < 3; n += 1) {
        const answer = await run.client.requestCredential(query(COUNT))
        if (answer.status !== 'active') throw new Error('nobody was to be asked')
        await run.client.giveBack(answer.id)
      }
      expect(await grants()).toEqual(before)
    })
  })

  describe('who is not the agent', () => {
    it('is not let in: no token, another face, another key, another service', async () => {
      const run = await aRun(by.as('ana'), broker.issuer, READING)
      const session = textIn(await run.client.connect(), 'access_token')
      const bearer = createCaller(broker.issuer, () => session)
      const ask = query(COUNT)
      expect((await refused(bearer.post('/v1/credentials', ask))).status).toBe(401)
      expect((await refused(bearer.get('/v1/agents'))).status).toBe(401)
      expect((await refused(by.as('ana').post('/v1/credentials', ask))).status).toBe(401)
      expect((await refused(by.as('ben').post('/v1/agents', { name: 'x' }))).status).toBe(403)
      const stranger = createService(broker.issuer, 'payments-api', generateKey())
      expect((await refused(stranger.introspect('eyJ'))).status).toBe(401)
    })
  })
})
