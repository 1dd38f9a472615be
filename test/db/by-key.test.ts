/**
 * What is asked for many at once finds each by its key, as soon as the server knows anything of the
 * tables: a plan that was made while they were small is kept while they grow.
 */
import type { Pool } from 'pg'
import { beforeAll, expect, it } from 'vitest'
import { standingOf } from '../../src/consent/store.ts'
import { createBreaker } from '../../src/db/breaker.ts'
import { createPool } from '../../src/db/connect.ts'
import { delegationBehind } from '../../src/delegation/store.ts'
import { activateLease, leaseOpener } from '../../src/delivery/leases.ts'
import type { Decision } from '../../src/domain/decision.ts'
import type { Tx } from '../../src/domain/tx.ts'
import { findAnswer } from '../../src/ledger/request-keys.ts'
import { createInForce } from '../../src/revocation/in-force.ts'
import { anIntent, now } from '../delivery/bench.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { sentBy, stepsPlanned } from '../pg/plans.ts'

const intent = anIntent()
const decision = {
  chain: {
    consent: { id: intent.consent, sponsor: intent.sponsor },
    ...{
      hops: [{ agent: intent.agent, instance: intent.instance, expiresAt: now() }],
      session: null,
    },
  },
  call: { tool: { name: intent.tool } },
} as unknown as Decision
const issued = { kind: 'jwt', credential: {}, expiresAt: now() } as const

/** What each part asks, as it asks it; nobody answers. */
const ASKED: Readonly<Record<string, (tx: Tx, pool: Pool) => unknown>> = {
  'the answer under a request key': (_, pool) =>
    findAnswer(pool, 'main')({ caller: 'a', route: 'b', key: 'c', fingerprint: 'd' }),
  'what a consent stands on': (_, pool) =>
    standingOf(pool, 'main')({ consent: intent.consent, agent: intent.agent }),
  'the hop behind a session': (tx) => tx.each(delegationBehind('main'), { id: 'dlg_1' }),
  'what is in force': (tx) => createInForce('main').inForce(tx, decision),
  'what holds a lease back as it opens': (_, pool) =>
    leaseOpener(pool, 'main')(intent, { audience: null, policyEpoch: 1, exp: now() }),
  'the lease that becomes active': (tx) => activateLease(tx, 'main', intent, issued),
}

/** Of a tenant there are a few of these, whatever happens. */
const FEW = ['epoch_pkey', 'freeze_in_force']

/** A thousand of what callers make, none of it what is asked for. */
const FILLED = `
  set session_replication_role = replica;
  insert into lease (tenant, id, decision_id, state, connector, target, downstream_name, sponsor, agent,
    instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at)
    select 'main', 'crd_' || n, 'dec_' || n, 'active', 'jwt', 't',
      'cb_' || translate(lpad(n::text, 26, 'y'), '0189', 'abcd'), 's', 'a', 'i', 'c', 'k',
      jsonb_build_object('as', 'wide', 'as they', repeat('are', 400)), 0,
      now(), now() + interval '1 min' from generate_series(1, 1000) n;
  insert into request_key (tenant, caller, route, key, fingerprint, answer)
    select 'main', 'a', 'r', 'k' || n, 'f', '{}' from generate_series(1, 1000) n;
  insert into consent (tenant, id, sponsor, agent, terms, terms_hash, consent_jwt, max_uses, created_at,
    expires_at, event_id) select 'main', 'con_' || n, 's', 'a', '{}', 'h', 'j', 9, now(), now(), 'e' || n
    from generate_series(1, 1000) n;
  insert into agent (tenant, id, sponsor, name, workload, workload_key, status, created_at, event_id)
    select 'main', 'agt_' || n, 's', 'n', '{}', 'w' || n, 'active', now(), 'e' || n
    from generate_series(1, 1000) n;
  insert into instance (tenant, id, agent, jkt, first_seen)
    select 'main', 'ins_' || n, 'a', 'j' || n, now() from generate_series(1, 1000) n;
  insert into person (tenant, id, issuer, subject, roles, groups)
    select 'main', 'spn_' || n, 'i', 's' || n, '{}', '{}' from generate_series(1, 1000) n;
  insert into stop (tenant, kind, id, epoch, revocation, at)
    select 'main', 'session', 'jti' || n, n, 'r' || n, now() from generate_series(1, 1000) n;
  insert into delegation (tenant, id, token_hash, depth, root, parent, consent, sponsor, agent, jkt,
    purpose, effective, hops, accounts, path, agents, keys, registered_at, expires_at, event_id)
    select 'main', 'dlg_' || n, 't' || n, 1, 'r', 'p', 'c', 's', 'a', 'k', 'p', '{}', '[]', '[]', '{}',
      '{}', '{}', now(), now(), 'e' || n from generate_series(1, 1000) n;
  analyze`

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
  await database.query(FILLED)
})

it.each(Object.keys(ASKED))('finds %s by key, when there are a thousand others', async (name) => {
  const ask = ASKED[name]
  if (ask === undefined) throw new Error(name)
  const query = await sentBy(ask)
  const pool = createPool({
    ...{ url: database.url, role: null, max: 1, breaker: createBreaker(database.url) },
  })
  const client = await pool.connect()
  try {
    await client.query(`set plan_cache_mode = force_generic_plan; prepare asked as ${query.text}`)
    const looks = (await stepsPlanned(client, 'asked', query)).filter((step) =>
      /^(Seq|Index|Index Only|Bitmap Index) Scan$/.test(step['Node Type']),
    )
    expect(looks.length).toBeGreaterThan(0)
    for (const look of looks.filter((node) => !FEW.includes(node['Index Name'] ?? ''))) {
      expect(look['Index Cond'] ?? '', look['Index Name']).toMatch(/tenant.* AND /)
      // Which has the kind before the id: by both of the others it is gone through.
      expect(look['Index Name']).not.toBe('stop_pkey')
    }
  } finally {
    client.release()
    await pool.end()
  }
})
