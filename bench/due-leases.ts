/** Leases that are due, made by SQL from one real mint: with logins at the target, or with nothing there. */
import type { BenchWorld } from './world.ts'
import { withClient } from './world.ts'

/** Logins with what the broker marks its own by, and a lease for each that runs out now. */
export async function makeDue(
  { product, orders, issuer }: BenchWorld,
  count: number,
): Promise<void> {
  const own = new URL(product.databaseUrl)
  own.username = orders.admin.username
  own.password = orders.admin.password.reveal()
  await withClient(own.href, (client) =>
    client.query(LOGINS(count, `procura ${issuer} ${orders.target}`)),
  )
  await insert(product.databaseUrl, count, {
    id: "'crd_0' || lpad(n::text, 25, '0')",
    name: LOGIN,
    columns: { connector: "'postgres'", target: `'${orders.target}'`, audience: 'null' },
    patch: { connector: 'postgres', target: orders.target, senderConstraint: 'none' },
  })
}

/** Tokens for a service, which ran out a moment ago. */
export async function makeExpired({ product }: BenchWorld, count: number): Promise<void> {
  await insert(product.databaseUrl, count, {
    id: "'crd_1' || lpad(n::text, 25, '0')",
    name: "'cb_zz' || translate(lpad(n::text, 24, 'z'), '0189', 'abcd')",
    columns: { connector: 'l.connector', target: 'l.target', audience: 'l.audience' },
    patch: {},
  })
}

/** What is due here, and what of ours is at the target. */
export async function left(url: string): Promise<{ due: number; logins: number }> {
  return await withClient(url, async (client) => {
    const { rows } = await client.query<{ due: number; logins: number }>(
      `select (select count(*)::int from procura.lease
               where due_at <= clock_timestamp() and issued_at < clock_timestamp() - interval '1 h') as due,
        (select count(*)::int from pg_roles where rolname like 'cb\\_%') as logins`,
    )
    return rows[0] ?? { due: NaN, logins: NaN }
  })
}

const LOGIN = "'cb_' || translate(lpad(n::text, 26, 'y'), '0189', 'abcd')"

const LOGINS = (count: number, mark: string) => `do $$ declare name text; begin
  for n in 1..${String(count)} loop
    name := ${LOGIN};
    execute format('create role %I login connection limit 1', name);
    execute format('comment on role %I is %L', name, '${mark}');
  end loop;
end $$`

interface Copy {
  readonly id: string
  readonly name: string
  readonly columns: Readonly<Record<'connector' | 'target' | 'audience', string>>
  readonly patch: Readonly<Record<string, string>>
}

async function insert(url: string, count: number, { id, name, columns, patch }: Copy) {
  await withClient(url, async (client) => {
    await client.query(
      `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
         audience, sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at,
         expires_at, event_id)
       select l.tenant, c.id, replace(c.id, 'crd', 'dec'), 'active', ${columns.connector},
         ${columns.target}, c.name, ${columns.audience}, l.sponsor, l.agent, l.instance, l.consent,
         l.jkt, l.intent || $2::jsonb || jsonb_build_object('lease', c.id, 'downstreamName', c.name,
           'decision', replace(c.id, 'crd', 'dec')),
         l.revocation_epoch, now() - interval '2 h', now() - interval '1 h', replace(c.id, 'crd', 'evt')
       from generate_series(1, $1::int) n,
         lateral (select ${id} as id, ${name} as name) c,
         lateral (select * from procura.lease where target = 'payments' and state = 'active'
                  order by issued_at desc limit 1) l`,
      [count, JSON.stringify(patch)],
    )
    // A target's secret is opened for what was decided, and for nothing else.
    await client.query(
      `insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance, consent,
         credential, target, event_id)
       select tenant, decision_id, issued_at, 'native', 'allow', sponsor, agent, instance, consent,
         id, target, replace(id, 'crd', 'evt')
       from procura.lease where issued_at < now() - interval '1 h' on conflict do nothing`,
    )
  })
}
