import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/domain/problems.ts'
import { aFront, HEADERS, ISSUER, json, serving } from '../fakes/front.ts'
import { anApproval, PASSWORD } from '../fakes/front-parts.ts'
import { aLease } from '../fakes/front-readers.ts'
import { DIGEST, IDS, STOPPED_BY } from '../fakes/settled.ts'

const A_STRING: unknown = expect.any(String)

const request = (tool: string) =>
  serving(aFront(), ({ call }) =>
    call('POST', '/v1/credentials', json(HEADERS.agent, { tool, arguments: {} })),
  )

describe('POST /v1/credentials', () => {
  it('201 has the secret and where the lease can be read', async () => {
    const { status, headers, body } = await request('sql.query')
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/v1/credentials/${IDS.credential}`)
    expect(headers.get('idempotency-replayed')).toBeNull()
    expect(body).toMatchObject({
      ...{ id: IDS.credential, lease_id: IDS.credential, lease_duration: 60, renewable: false },
      ...{ decision_id: IDS.decision, sender_constraint: 'none', event_id: IDS.event },
      credential: { kind: 'postgres', username: 'cb_a', password: PASSWORD },
    })
  })

  it('a repeated 201 has the same ids and no secret', async () => {
    const { status, headers, body, text } = await request('told.before')
    expect([status, headers.get('idempotency-replayed')]).toEqual([201, 'true'])
    expect(body).toMatchObject({ id: IDS.credential, credential: null })
    expect(text).not.toContain(PASSWORD)
  })

  it('202 says where to wait, and issues nothing', async () => {
    const { status, headers, body } = await request('ask.first')
    expect([status, headers.get('retry-after')]).toEqual([202, '5'])
    expect(headers.get('location')).toBe(`/v1/approvals/${IDS.approval}`)
    expect(body).toMatchObject({
      ...{ status: 'pending', code: 'approval_pending', level: 'L2', asked_by: ['gate'] },
      approval: {
        id: IDS.approval,
        status_endpoint: `${ISSUER}/v1/approvals/${IDS.approval}`,
      },
    })
    expect(body).not.toHaveProperty('credential')
  })

  it('403 names the decision, who was refused, and why', async () => {
    const { status, body } = await request('deny.always')
    expect(status).toBe(403)
    expect(body).toMatchObject({
      ...{ code: 'access_denied', reason: 'forbid', decision_id: IDS.decision },
      ...{ stopped_by: STOPPED_BY, fix: A_STRING },
      detail: "forbid 'payroll-is-closed' applied at hop 0",
    })
  })

  it('409 and its like come with what helps', async () => {
    const requestCredential = () =>
      Promise.reject(new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } }))
    const { status, body } = await serving(aFront({ broker: { requestCredential } }), ({ call }) =>
      call('POST', '/v1/credentials', json(HEADERS.agent, { tool: 'sql.query', arguments: {} })),
    )
    expect(status).toBe(409)
    expect(body).toMatchObject({
      ...{ code: 'decision_stale', reason: 'policy_epoch' },
      fix: 'Ask again, with a new Idempotency-Key',
    })
  })
})

describe('GET and DELETE /v1/credentials/{id}', () => {
  it('read it without its secret, and give it back', async () => {
    await serving(aFront(), async ({ call }) => {
      const path = `/v1/credentials/${IDS.credential}`
      const found = await call('GET', path, { headers: HEADERS.agent })
      expect(found).toMatchObject({ status: 200, body: { status: 'active', level: 'L1' } })
      expect(found.body).not.toHaveProperty('credential')
      const given = await call('DELETE', path, { headers: HEADERS.agent })
      expect(given).toMatchObject({ status: 200, body: { status: 'returned', refunded: true } })
    })
  })

  it('with wait are answered as soon as the state differs', async () => {
    const front = aFront()
    let looks = 0
    const read = () => {
      looks += 1
      return Promise.resolve({ ...aLease(), state: looks < 2 ? 'active' : 'redeemed' } as const)
    }
    const changing = { ...front, credentials: { ...front.credentials, read } }
    const startedAt = performance.now()
    const { body } = await serving(changing, ({ call }) =>
      call('GET', `/v1/credentials/${IDS.credential}?wait=30`, { headers: HEADERS.agent }),
    )
    expect(body['status']).toBe('redeemed')
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  it('with wait are answered unchanged at the end; more than 30 s are refused', async () => {
    await serving(aFront(), async ({ call }) => {
      const path = `/v1/credentials/${IDS.credential}`
      const startedAt = performance.now()
      const { status, body } = await call('GET', `${path}?wait=1`, { headers: HEADERS.agent })
      expect([status, body['status']]).toEqual([200, 'active'])
      expect(performance.now() - startedAt).toBeGreaterThan(900)
      expect((await call('GET', `${path}?wait=31`, { headers: HEADERS.agent })).status).toBe(422)
    })
  })
})

describe('an approval', () => {
  it('is shown to an approver as it would run, and to its agent as a state', async () => {
    await serving(aFront(), async ({ call }) => {
      const path = `/v1/approvals/${IDS.approval}`
      const person = await call('GET', path, { headers: HEADERS.approver })
      expect(person.body).toMatchObject({
        ...{ id: IDS.approval, status: 'pending', tool: 'sql.query', binding_hash: DIGEST },
        justification: { written_by: 'agent', text: anApproval().justification },
      })
      const agent = await call('GET', path, { headers: HEADERS.agent })
      expect(agent.body).toMatchObject({ id: IDS.approval, next_action: 'wait' })
      expect(agent.body).not.toHaveProperty('binding_hash')
      expect(agent.body).not.toHaveProperty('arguments')
    })
  })

  it('is decided once, for exactly what was shown; the same key again gives the first answer', async () => {
    await serving(aFront(), async ({ call }) => {
      const path = `/v1/approvals/${IDS.approval}/decision`
      const headers = { ...HEADERS.approver, 'idempotency-key': 'one-decision' }
      const yes = { decision: 'approve', binding_hash: DIGEST }
      const other = { ...yes, binding_hash: 'A'.repeat(43) }
      const wrong = await call('POST', path, json(HEADERS.approver, other))
      expect(wrong).toMatchObject({ status: 409, body: { code: 'args_mismatch' } })
      const first = await call('POST', path, json(headers, yes))
      expect(first).toMatchObject({ status: 200, body: { status: 'approved' } })
      const again = await call('POST', path, json(headers, yes))
      expect(again.body).toEqual(first.body)
      expect(again.headers.get('idempotency-replayed')).toBe('true')
      const late = await call('POST', path, json(HEADERS.approver, yes))
      expect(late).toMatchObject({ status: 409, body: { code: 'conflict' } })
    })
  })
})

describe('a decision', () => {
  it('is shown whole to those who look into it, and in part to the agent that asked', async () => {
    await serving(aFront(), async ({ call }) => {
      const path = `/v1/decisions/${IDS.decision}`
      const auditor = await call('GET', path, { headers: HEADERS.auditor })
      expect(auditor.body).toHaveProperty('request')
      const agent = await call('GET', path, { headers: HEADERS.agent })
      expect(agent.body).toEqual({ id: IDS.decision, at: A_STRING, answer: 'allow' })
    })
  })
})
