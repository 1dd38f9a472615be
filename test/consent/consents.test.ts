import { beforeAll, describe, expect, it } from 'vitest'
import type { Terms } from '../../src/domain/consent.ts'
import type { AgentId } from '../../src/domain/ids.ts'
import { readToken } from '../../src/domain/jws.ts'
import type { ProvenPerson } from '../../src/domain/person.ts'
import {
  aPerson,
  anAgent,
  anInstance,
  by,
  parts,
  type Parts,
  signer,
  theTerms,
} from '../fakes/deciding.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let db: TestDatabase
let house: Parts
let alice: ProvenPerson
let agent: AgentId

beforeAll(async () => {
  db = await freshDatabase()
  house = parts(db)
  alice = await aPerson(db)
  agent = await anAgent(db, alice.person.id)
})

const give = (terms: Partial<Terms> = {}) =>
  house.consents.give(alice, theTerms(agent, terms), by())
const leaves = async () =>
  await db.query<{ entry: string; event_id: string }>('select entry, event_id from ledger.leaf')

describe('giving a consent', () => {
  it('is on record, with its terms signed and its accounts open', async () => {
    const bound = { key: 'args.amount', max_lifetime: 100 } as const
    const given = await give({ constraints: [bound], maxUses: 3 })
    const { consent, consentJwt, eventId } = given
    const { claims } = readToken('consent', consentJwt, signer, { now: new Date() })
    expect(claims).toMatchObject({ sub: alice.person.id, jti: consent.id, method: 'session' })
    expect(claims['terms_hash']).toBe(consent.termsHash)
    const leaf = (await leaves()).find((one) => one.event_id === eventId)
    expect(leaf?.entry).toContain('"consent_granted"')
    expect(leaf?.entry).toContain(consent.termsHash)
    expect(leaf?.entry).not.toContain('Alice')
    expect(await house.budgets.balances(consent.id)).toEqual([
      {
        account: consent.id,
        key: 'args.amount',
        type: 'max_lifetime',
        limit: 100,
        used: 0,
        asked: 0,
      },
      { account: consent.id, key: 'calls', type: 'max_subtree', limit: 3, used: 0, asked: 0 },
    ])
    const found = await house.consents.find(alice, consent.id)
    expect(found).toEqual({ consent, consentJwt, eventId })
  })

  it('happens once for one key, and tells the same again', async () => {
    const key = by({ key: 'consent-1' })
    const first = await house.consents.give(alice, theTerms(agent), key)
    const again = await house.consents.give(alice, theTerms(agent), key)
    expect(again).toMatchObject({ isRepeat: true, eventId: first.eventId })
    expect(again.consent.id).toBe(first.consent.id)
    const other = by({ key: 'consent-1', fingerprint: 'other' })
    const mismatch = house.consents.give(alice, theTerms(agent), other)
    await expect(mismatch).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  })

  it.each<[string, string, Partial<Terms>]>([
    ['schema_violation', '/tools', { tools: [] }],
    ['schema_violation', '/tools/0', { tools: ['*'] }],
    ['schema_violation', '/tools/1', { tools: ['crm.read', 'crm.read'] }],
    ['unknown_tool', '/tools/0', { tools: ['payroll.read'] }],
    ['unknown_purpose', '/purpose', { purpose: 'world.domination' }],
    ['schema_violation', '/expires_at', { expiresAt: new Date(Date.now() + 91 * 86400_000) }],
    ['schema_violation', '/expires_at', { expiresAt: new Date(Date.now() - 1000) }],
    ['schema_violation', '/max_uses', { maxUses: 0 }],
    ['schema_violation', '/max_ttl_seconds', { maxTtlSeconds: 3601 }],
    [
      'schema_violation',
      '/constraints/0/prefix',
      { constraints: [{ key: 'args.a', prefix: 'x' }] },
    ],
  ])('is refused with %s at %s [CON-07]', async (code, pointer, terms) => {
    const before = await leaves()
    await expect(give(terms)).rejects.toMatchObject({ code, shown: { errors: [{ pointer }] } })
    expect(await leaves()).toHaveLength(before.length)
  })

  it('is for an active agent of one’s own', async () => {
    const mallory = await aPerson(db)
    const stolen = house.consents.give(mallory, theTerms(agent), by())
    await expect(stolen).rejects.toMatchObject({ code: 'not_found' })
    const gone = await anAgent(db, alice.person.id)
    await house.revocation.retire(alice, gone, by())
    await expect(give({ agent: gone })).rejects.toMatchObject({ code: 'not_found' })
    const auditor = await aPerson(db, { roles: ['auditor'] })
    const noSponsor = house.consents.give(auditor, theTerms(agent), by())
    await expect(noSponsor).rejects.toMatchObject({ code: 'role_required' })
  })

  it('cannot hand on what the sponsor may not do [CON-08]', async () => {
    const stoppedBy = { hop: null, kind: 'sponsor', id: alice.person.id } as const
    const refused = { reason: 'forbid', detail: `forbid 'payroll-is-closed'`, stoppedBy }
    const strict = parts(db, { mayConsent: () => Promise.resolve({ refused, policyEpoch: 0 }) })
    const before = await leaves()
    await expect(strict.consents.give(alice, theTerms(agent), by())).rejects.toMatchObject({
      code: 'access_denied',
      shown: refused,
    })
    expect(await leaves()).toHaveLength(before.length)
  })
})

describe('reading consents', () => {
  it('shows one’s own, and everything to auditors and operators', async () => {
    const { consent } = await give()
    const mallory = await aPerson(db)
    const auditor = await aPerson(db, { roles: ['auditor'] })
    const found = house.consents.find(mallory, consent.id)
    await expect(found).rejects.toMatchObject({ code: 'not_found' })
    expect((await house.consents.find(auditor, consent.id)).consent.id).toBe(consent.id)
    const page = { limit: 10, before: null, agent: null, status: null }
    expect((await house.consents.list(mallory, page)).items).toEqual([])
    expect((await house.consents.list(auditor, page)).items[0]?.consent.id).toBe(consent.id)
  })

  it('pages newest first, by agent and status', async () => {
    const other = await anAgent(db, alice.person.id)
    const ids: string[] = []
    for (let n = 0; n < 3; n += 1) ids.unshift((await give({ agent: other })).consent.id)
    const filter = { agent: other, status: 'active' } as const
    const first = await house.consents.list(alice, { ...filter, limit: 2, before: null })
    expect(first.items.map(({ consent }) => consent.id)).toEqual(ids.slice(0, 2))
    const second = await house.consents.list(alice, { ...filter, limit: 2, before: first.next })
    expect(second.items.map(({ consent }) => consent.id)).toEqual(ids.slice(2))
    expect(second.next).toBeNull()
    await house.revocation.withdraw(alice, second.items[0]?.consent.id ?? 'con_', by())
    const left = await house.consents.list(alice, { ...filter, limit: 9, before: null })
    expect(left.items).toHaveLength(2)
  })

  it('says what became of it', async () => {
    const { consent } = await give({ maxUses: 1, expiresAt: new Date(Date.now() + 60_000) })
    const status = async () => (await house.consents.find(alice, consent.id)).consent.status
    const set = (sql: string) => db.query(sql, [consent.id])
    expect(await status()).toBe('active')
    await set(`update procura.budget set used = 1 where account = $1`)
    expect(await status()).toBe('used_up')
    await set(`update procura.consent set expires_at = now() - interval '1 s' where id = $1`)
    expect(await status()).toBe('expired')
    await set(`update procura.consent set withdrawn_at = now() where id = $1`)
    expect(await status()).toBe('withdrawn')
  })

  it('gives what a session stands on, by agent and consent together', async () => {
    const { consent } = await give()
    const standing = await house.consents.behind(anInstance({ consent }))
    expect(standing).toMatchObject({ consent, sponsorGroups: [] })
    const other = await anAgent(db, alice.person.id)
    const pair = house.consents.standing(consent.id, other)
    await expect(pair).rejects.toMatchObject({ code: 'not_found' })
    const forged = anInstance({
      consent: { ...consent, terms: { ...consent.terms, agent: other } },
    })
    await expect(house.consents.behind(forged)).rejects.toMatchObject({
      code: 'chain_invalid',
      shown: { outcome: 'revoked', hop: null },
    })
  })
})
