import { describe, expect, it } from 'vitest'
import { aFront, HEADERS, json, type Listening, serving } from '../fakes/front.ts'
import { IDS } from '../fakes/settled.ts'

const AGENT = { name: 'desk', workload: { kind: 'spiffe', id: 'spiffe://example/desk' } }
const CONSENT = {
  ...{ agent_id: IDS.agent, tools: ['sql.query', 'crm.*'], purpose: 'support.orders' },
  ...{ expires_at: '2026-12-21T10:00:00.000Z', max_uses: 3 },
}
const consent = (changes: object) =>
  serving(aFront(), ({ call }) =>
    call('POST', '/v1/consents', json(HEADERS.sponsor, { ...CONSENT, ...changes })),
  )

describe('an Idempotency-Key', () => {
  const register = ({ call }: Listening, key: string, body: object) =>
    call('POST', '/v1/agents', json({ ...HEADERS.sponsor, 'idempotency-key': key }, body))

  it('with the same body again gives the first answer, and does nothing', async () => {
    await serving(aFront(), async (at) => {
      const first = await register(at, 'key-number-one', AGENT)
      const { name, workload } = AGENT
      const again = await register(at, '"key-number-one"', { workload, name })
      expect([again.status, again.body]).toEqual([201, first.body])
      expect(first.headers.get('idempotency-replayed')).toBeNull()
      expect(again.headers.get('idempotency-replayed')).toBe('true')
    })
  })

  it('with another body is refused', async () => {
    await serving(aFront(), async (at) => {
      await register(at, 'key-number-one', AGENT)
      const other = await register(at, 'key-number-one', { ...AGENT, name: 'other' })
      expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_mismatch' } })
    })
  })
})

describe('a list', () => {
  it('pages newest first, each item once, with a cursor for this caller and query only', async () => {
    await serving(aFront(), async ({ call }) => {
      for (const name of ['a', 'b', 'c']) {
        await call('POST', '/v1/agents', json(HEADERS.sponsor, { ...AGENT, name }))
      }
      const names: unknown[] = []
      let cursor: unknown = ''
      let path = '/v1/agents?limit=2'
      while (cursor !== null) {
        const { status, body } = await call('GET', path, { headers: HEADERS.sponsor })
        expect(status).toBe(200)
        const items = body['items'] as { name: string }[]
        names.push(...items.map(({ name }) => name))
        cursor = body['next_cursor']
        path = `/v1/agents?limit=2&cursor=${String(cursor)}`
      }
      expect(new Set(names)).toEqual(new Set(['a', 'b', 'c', 'desk']))
      expect(names).toHaveLength(4)
    })
  })

  it('refuses a cursor of another query, another caller, or nobody', async () => {
    await serving(aFront(), async ({ call }) => {
      await call('POST', '/v1/agents', json(HEADERS.sponsor, AGENT))
      const page = await call('GET', '/v1/agents?limit=1', { headers: HEADERS.sponsor })
      const cursor = String(page.body['next_cursor'])
      for (const path of [
        `/v1/consents?cursor=${cursor}`,
        `/v1/agents?cursor=${cursor.slice(0, -4)}AAAA`,
        '/v1/agents?cursor=AAAA',
        `/v1/agents?cursor=${Buffer.from(`${IDS.agent} `).toString('base64url')}`,
      ]) {
        const { status, body } = await call('GET', path, { headers: HEADERS.sponsor })
        expect([status, body['code']], path).toEqual([400, 'invalid_cursor'])
      }
      const path = `/v1/agents?limit=1&cursor=${cursor}`
      expect((await call('GET', path, { headers: HEADERS.auditor })).status).toBe(400)
      expect((await call('GET', path, { headers: HEADERS.sponsor })).status).toBe(200)
    })
  })
})

describe('a consent', () => {
  it('comes back with its terms, defaults written out', async () => {
    const { status, body } = await consent({ constraints: [{ key: 'args.limit', max: 100 }] })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      ...CONSENT,
      ...{ max_hops: 0, delegates: 'same_sponsor', max_ttl_seconds: 300, uses: 0 },
      constraints: [{ key: 'args.limit', max: 100 }],
    })
  })

  it.each([
    ['a bare star', { tools: ['*'] }, '/tools/0'],
    ['a tool that is an infix pattern', { tools: ['crm.*.read'] }, '/tools/0'],
    ['a tool twice', { tools: ['a.b', 'a.b'] }, '/tools'],
    ['no tool', { tools: [] }, '/tools'],
    ['an unknown kind of bound', { constraints: [{ key: 'args.a', like: 'x' }] }, '/constraints/0'],
    ['two bounds in one', { constraints: [{ key: 'args.a', min: 1, max: 2 }] }, '/constraints/0'],
    ['a local time', { expires_at: '2026-12-21T10:00:00' }, '/expires_at'],
    ['no uses', { max_uses: 0 }, '/max_uses'],
    ['uses as text', { max_uses: '3' }, '/max_uses'],
    ['an alias of an id', { agent_id: IDS.agent.toUpperCase() }, '/agent_id'],
    ['a member more', { sponsor_id: IDS.sponsor }, '/sponsor_id'],
    ['a purpose in capitals', { purpose: 'Support' }, '/purpose'],
  ])('with %s is refused there', async (_what, changes, pointer) => {
    const { status, body } = await consent(changes)
    expect([status, body['code']]).toEqual([422, 'schema_violation'])
    const [first] = body['errors'] as { pointer: string }[]
    expect(first?.pointer).toBe(pointer)
  })

  it('is withdrawn with what it stopped', async () => {
    const { status, body } = await serving(aFront(), ({ call }) =>
      call('DELETE', `/v1/consents/${IDS.consent}`, { headers: HEADERS.sponsor }),
    )
    expect(status).toBe(200)
    expect(body).toMatchObject({
      ...{ id: IDS.revocation, target: { kind: 'consent', id: IDS.consent } },
      confirmations: { confirmed: 0, pending: 1, not_supported: 0 },
    })
  })
})
