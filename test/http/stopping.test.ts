import { describe, expect, it } from 'vitest'
import { aFront, HEADERS, json, serving } from '../fakes/front.ts'
import { stopping } from '../fakes/front-stopping.ts'
import { IDS } from '../fakes/settled.ts'

const STOP = { target: { kind: 'agent', id: IDS.agent }, cause: 'compromised' }
const FREEZE = {
  scope: { kind: 'tool', id: 'sql.query' },
  state: 'frozen',
  cause: 'withdrawn',
  reason: 'x',
}
const { operator, sponsor } = HEADERS

describe('POST /v1/revocations', () => {
  it('is 201 where it stops something, and 200 with the same id where that was stopped', async () => {
    await serving(aFront(), async ({ call }) => {
      const first = await call('POST', '/v1/revocations', json(sponsor, STOP))
      expect([first.status, first.headers.get('location')]).toEqual([
        201,
        `/v1/revocations/${IDS.revocation}`,
      ])
      const again = await call('POST', '/v1/revocations', json(operator, STOP))
      expect([again.status, again.body]).toEqual([200, first.body])
      expect(again.headers.get('idempotency-replayed')).toBeNull()
    })
  })

  it('stops nothing with dry_run, and lists a thousand at most', async () => {
    await serving(aFront(), async ({ call }) => {
      const { status, body } = await call(
        'POST',
        '/v1/revocations?dry_run=true',
        json(sponsor, STOP),
      )
      expect(status).toBe(200)
      expect(body).toMatchObject({ dry_run: true, is_cut: true, revoked: { credentials: 1500 } })
      expect(body['reached']).toHaveLength(1000)
      expect((await call('POST', '/v1/revocations', json(sponsor, STOP))).status).toBe(201)
    })
  })

  it.each([
    [{ ...STOP, target: { kind: 'agent', id: IDS.consent } }, '/target/id'],
    [{ ...STOP, target: { kind: 'root', id: IDS.agent } }, '/target/kind'],
    [{ ...STOP, cause: 'because' }, '/cause'],
    [{ ...STOP, reason: '' }, '/reason'],
    [{ ...STOP, epoch: 1 }, '/epoch'],
  ])('refuses %j', async (body, pointer) => {
    await serving(aFront(), async ({ call }) => {
      const answer = await call('POST', '/v1/revocations', json(sponsor, body))
      expect([answer.status, answer.body['code']]).toEqual([422, 'schema_violation'])
      expect(JSON.stringify(answer.body['errors'])).toContain(`"${pointer}"`)
    })
  })

  it('takes dry_run for true or false only', async () => {
    await serving(aFront(), async ({ call }) => {
      const answer = await call('POST', '/v1/revocations?dry_run=maybe', json(sponsor, STOP))
      expect(answer.status).toBe(422)
    })
  })
})

describe('POST /v1/freeze', () => {
  it('freezes, lists, and is lifted by an operator', async () => {
    await serving(aFront(), async ({ call }) => {
      const frozen = await call('POST', '/v1/freeze', json(operator, FREEZE))
      expect([frozen.status, frozen.body['state']]).toEqual([201, 'frozen'])
      expect(frozen.body['scope']).toEqual(FREEZE.scope)
      expect((await call('POST', '/v1/freeze', json(operator, FREEZE))).status).toBe(200)
      const { body } = await call('GET', '/v1/freeze', { headers: sponsor })
      expect(body['items']).toEqual([frozen.body])
      const lifting = { ...FREEZE, state: 'lifted' }
      expect((await call('POST', '/v1/freeze', json(sponsor, lifting))).status).toBe(403)
      const lifted = await call('POST', '/v1/freeze', json(operator, lifting))
      expect([lifted.status, lifted.body['state']]).toEqual([201, 'lifted'])
      expect((await call('POST', '/v1/freeze', json(operator, lifting))).status).toBe(409)
    })
  })

  it.each([
    { ...FREEZE, scope: { kind: 'everything', id: 'sql.query' } },
    { ...FREEZE, scope: { kind: 'tool' } },
    { ...FREEZE, scope: { kind: 'agent', id: IDS.sponsor } },
    { ...FREEZE, state: 'thawed' },
    { ...FREEZE, reason: undefined },
  ])('refuses %j', async (body) => {
    await serving(aFront(), async ({ call }) => {
      expect((await call('POST', '/v1/freeze', json(operator, body))).status).toBe(422)
    })
  })
})

describe('POST /oauth/revoke', () => {
  it('answers 200 and nothing, whoever it is and whatever the token', async () => {
    const revocation = stopping()
    await serving(aFront({ revocation }), async ({ call }) => {
      for (const client of ['desk', 'service-payments']) {
        const body = new URLSearchParams({ client_assertion: client, token: 'whatever' })
        const answer = await call('POST', '/oauth/revoke', { body })
        expect([answer.status, answer.text]).toEqual([200, ''])
      }
      expect(revocation.shown).toEqual(['agent whatever', 'service whatever'])
      const nobody = new URLSearchParams({ client_assertion: 'nobody', token: 'whatever' })
      expect((await call('POST', '/oauth/revoke', { body: nobody })).status).toBe(401)
      const nothing = new URLSearchParams({ client_assertion: 'desk' })
      expect((await call('POST', '/oauth/revoke', { body: nothing })).status).toBe(400)
      expect(revocation.shown).toHaveLength(2)
    })
  })
})

describe('GET /v1/leases', () => {
  it('lists what no target has confirmed, page by page', async () => {
    await serving(aFront(), async ({ call }) => {
      const first = await call('GET', '/v1/leases?state=unconfirmed', { headers: operator })
      expect(first.body).toMatchObject({
        items: [{ id: IDS.credential, status: 'revoke_pending', target: 'orders', attempts: 3 }],
      })
      const path = `/v1/leases?state=unconfirmed&cursor=${String(first.body['next_cursor'])}`
      const second = await call('GET', path, { headers: operator })
      expect(second.body).toEqual({ items: [], next_cursor: null })
      expect((await call('GET', path, { headers: sponsor })).body['code']).toBe('invalid_cursor')
    })
  })

  it('has no other states, and is for people who may look', async () => {
    await serving(aFront(), async ({ call }) => {
      expect((await call('GET', '/v1/leases', { headers: operator })).status).toBe(200)
      const all = await call('GET', '/v1/leases?state=all', { headers: operator })
      expect(all.status).toBe(422)
      const approver = await call('GET', '/v1/leases?state=unconfirmed', {
        headers: HEADERS.approver,
      })
      expect([approver.status, approver.body['code']]).toEqual([403, 'role_required'])
    })
  })
})
