/** The record, as brokers write it and auditors read it. */
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { bodyOf, readCheckpoint } from '../../src/ledger/checkpoint.ts'
import { verifyInclusion } from '../../src/ledger/merkle.ts'
import { eventually, READING, REFUND } from '../scenario/house.ts'
import { BODY } from './adaptor.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'

const HOSTILE = 'a\r\nb\u001b[2J\u202e</script><img src=x onerror=alert(1)>\u2028'
const refund = (more: JsonObject) => ({
  tool: 'payments.refund',
  arguments: { ...REFUND, ...more },
})
const UNCOUNTED = { isCounted: false }

describe('what is on record', () => {
  line(
    '[AUD-07] is one leaf an event, whatever is in its texts, and is shown as text',
    async (w) => {
      const agent = await w.anAgent()
      const named = {
        name: HOSTILE,
        workload: { kind: 'oidc', issuer: 'https://ci.example', subject: randomUUID() },
      }
      expect([201, 422]).toContain((await w.AG(named)).status)
      const st = await w.ST(agent)
      const asked = { ...refund({ note: HOSTILE }), justification: HOSTILE }
      const told = await w.accepted(w.CR(agent, { st, body: asked }))
      const path = `/v1/decisions/${textIn(told.body, 'decision_id')}`
      const read = await w.accepted(w.asBearer(w.PT('cleo'), 'GET', path), 200)
      expect(read.headers.get('content-type')).toMatch(/^application\/json/)
      expect(read.headers.get('x-content-type-options')).toBe('nosniff')
      expect(read.text).not.toMatch(/\p{Cc}/u)
      expect(isObject(read.body['snapshot']) && read.body['snapshot']['arguments']).toEqual(
        asked.arguments,
      )
      const entries = await w.database.query<{ entry: string }>('select entry from ledger.leaf')
      expect(entries.filter(({ entry }) => /\p{Cc}|<\/script>/u.test(entry))).toEqual([])
    },
  )

  line('[AUD-08] holds no secret, whatever was sent and wherever', async (w) => {
    const canary = () => {
      const text = randomBytes(32).toString('base64url')
      w.secret(text)
      return text
    }
    const [inArguments, why, header, inProof, inAssertion, inText] = Array.from(
      { length: 6 },
      canary,
    )
    const agent = await w.anAgent()
    const wt = w.WT(agent, { claims: { note: inAssertion } })
    const st = await w.ST(agent, { wt })
    w.secret(st.split('.')[2] ?? '')
    const body = { ...refund({ note: inArguments ?? '' }), justification: why ?? '' }
    const pf = { claims: { note: inProof } }
    const given = await w.accepted(
      w.CR(agent, { st, body, pf, headers: [['X-Note', header ?? '']] }),
    )
    const { credential } = given.body
    w.secret(textIn(isObject(credential) ? credential : {}, 'token').split('.')[2] ?? '')
    const wrong = { ...BODY, arguments: { ...REFUND, [`x${inText ?? ''}`]: inText ?? '' } }
    const told = await w.CR(agent, { st, body: wrong })
    expect(told.status).toBe(422)
    const malformed = await w.CR(agent, { st, body: `{"${inText ?? ''}":` })
    await w.refused(malformed, { status: 400, code: 'malformed_request' })
    expect(malformed.text).not.toContain(inText)
  })

  line(
    '[AUD-09] (a) that a decision cannot be on is no decision: 503, and nobody is called',
    async (w) => {
      const leases = async () => (await w.database.query('select from procura.lease')).length
      const before = await leases()
      const answer = await whileNoneIsOn(w, 'decision', () => w.CR(w.agent))
      await w.refused(answer, { status: 503, code: 'unavailable' })
      expect(answer.body['evaluation']).toEqual({
        status: 'not_evaluated',
        unavailable_input: 'ledger',
      })
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(await leases()).toBe(before)
    },
    UNCOUNTED,
  )

  line(
    '[AUD-09] (b) that an issuance cannot be on is not delivered: 503, and taken back',
    async (w) => {
      const reader = await w.anAgent({ sponsor: 'ana', terms: READING })
      const sql = { tool: 'sql.query', arguments: { sql: 'select 1 from orders' } }
      for (const [agent, body] of [
        [w.agent, BODY],
        [reader, sql],
      ] as const) {
        const answer = await whileNoneIsOn(w, 'issuance', () => w.CR(agent, { body }))
        await w.refused(answer, { status: 503, code: 'unavailable' })
        expect(answer.text).not.toContain('credential"')
        await eventually(
          'its end',
          async () => {
            const alive = await w.database.query(
              `select from procura.lease where consent = $1 and state not in ('revoked', 'failed', 'expired')
           and not exists (select from ledger.leaf i where i.event_id = lease.event_id and i.event_type = 'issuance')`,
              [agent.consent],
            )
            return alive.length === 0
          },
          60,
        )
      }
      const [logins] = await w.target.query<{ n: number }>(
        `select count(*)::int as n from pg_roles r where rolcanlogin and rolname like 'cb\\_%'
       and exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid
                   where m.member = r.oid and right(g.rolname, length($1)) = $1)`,
        [w.target.role('')],
      )
      expect(logins?.n).toBe(0)
    },
    { ...UNCOUNTED, timeout: 120_000 },
  )
})

/** What is asked while no leaf of this type can be inserted. */
async function whileNoneIsOn<T>(
  { database }: World,
  type: string,
  ask: () => Promise<T>,
): Promise<T> {
  await database.query(`create or replace function public.no() returns trigger language plpgsql as
    $$ begin if new.event_type = '${type}' then raise exception 'no'; end if; return new; end $$`)
  await database.query(
    'create trigger no before insert on ledger.leaf for each row execute function public.no()',
  )
  try {
    return await ask()
  } finally {
    await database.query('drop trigger no on ledger.leaf')
  }
}

describe('an auditor', () => {
  line('[AUD-10] is given a proof for a leaf, which proves nothing else', async (w) => {
    const told = await w.control()
    const event = textIn(told.body, 'event_id')
    const auditor = w.PT('cleo')
    const path = `/v1/ledger/proof/inclusion?event_id=${event}`
    const { body } = await eventually('a proof', async () => {
      const answer = await w.asBearer(auditor, 'GET', path)
      return answer.status === 200 && answer
    })
    const { size, root } = readCheckpoint(bodyOf(textIn(body, 'checkpoint')))
    const index = Number(body['index'])
    const hashes = (body['hashes'] as string[]).map((hash) => Buffer.from(hash, 'base64'))
    const at = async (n: number) => {
      const query = `/v1/ledger/entries?start=${String(n)}&limit=1`
      const page = await w.asBearer(auditor, 'GET', query)
      const [item] = page.body['items'] as JsonObject[]
      return Buffer.from(textIn(item ?? {}, 'leaf_hash'), 'base64')
    }
    const leaf = await at(index)
    const [row] = await w.database.query<{ entry: string }>(
      'select entry from ledger.leaf where index = $1',
      [index],
    )
    const own = createHash('sha256')
      .update(Buffer.of(0))
      .update(row?.entry ?? '')
      .digest()
    expect(leaf.equals(own)).toBe(true)
    expect(parseTrusted(row?.entry ?? '')).toMatchObject({ event_id: event })
    const claim = { index, size, leaf, root, hashes }
    expect(verifyInclusion(claim)).toBe(true)
    const bit = (hash: Buffer, n: number) =>
      hash.map((octet, i) => (i === n >> 3 ? octet ^ (1 << (n & 7)) : octet))
    const lies = [
      { ...claim, leaf: await at(index - 1) },
      ...[index - 1, index + 1, 0].map((other) => ({ ...claim, index: other })),
      ...Array.from({ length: 256 }, (_, n) => ({ ...claim, leaf: bit(leaf, n) })),
      ...hashes.map((hash, n) => ({ ...claim, hashes: hashes.with(n, Buffer.from(bit(hash, n))) })),
    ]
    expect(lies.filter(verifyInclusion)).toEqual([])
    expect(verifyInclusion(claim)).toBe(true)
  })

  line(
    '[AUD-14] and nobody else reads what others did; a cursor is its reader’s, and its query’s',
    async (w) => {
      const told = await w.control()
      const id = textIn(told.body, 'decision_id')
      const as = (person: Parameters<World['PT']>[0], path: string) =>
        w.asBearer(w.PT(person), 'GET', path)
      await w.accepted(as('kim', `/v1/decisions/${id}`), 200)
      await w.refused(as('ana', `/v1/decisions/${id}`), { status: 404, code: 'not_found' })
      await w.refused(as('kim', '/v1/ledger/entries'), { status: 403, code: 'role_required' })
      await w.refused(as('cleo', "/v1/ledger/entries?subject='%20OR%201=1"), { status: 422 })
      const other = await w.anAgent({ sponsor: 'ana', terms: READING })
      const asOther = await w.asAgent(other, 'GET', `/v1/decisions/${id}`)
      await w.refused(asOther, { status: 404, code: 'not_found' })

      for (let n = 0; n < 2; n += 1) await w.anAgent()
      const page = await w.accepted(as('kim', '/v1/agents?limit=1'), 200)
      const cursor = encodeURIComponent(textIn(page.body, 'next_cursor'))
      await w.accepted(as('kim', `/v1/agents?limit=1&cursor=${cursor}`), 200)
      const refused = { status: 400, code: 'invalid_cursor' } as const
      await w.refused(as('ana', `/v1/agents?limit=1&cursor=${cursor}`), refused)
      await w.refused(as('kim', `/v1/consents?limit=1&cursor=${cursor}`), refused)
      for (const forged of ["' OR 1=1", 'eyJ9', '0', `${cursor}A`]) {
        const path = `/v1/agents?limit=1&cursor=${encodeURIComponent(forged)}`
        await w.refused(as('kim', path), refused)
      }
      const seen = await w.accepted(as('ana', '/v1/agents?limit=100'), 200)
      expect(seen.text).not.toContain(w.agent.id)
    },
  )
})
