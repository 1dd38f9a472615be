/**
 * Years of use in some minutes: live leases and a ledger behind them, made from one real mint by SQL. The
 * leaves, the tree above them and its checkpoint are right: the broker goes on from them, and the
 * verifier finds nothing.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from 'pg'
import { checkpointBody, signNote } from '../src/ledger/checkpoint.ts'
import { edgeOf, rootOf } from '../src/ledger/merkle.ts'
import { nodesOf } from '../src/ledger/tree.ts'
import { type BenchWorld, withClient } from './world.ts'

export interface Amount {
  readonly leases: number
  readonly entries: number
}

/** Made in one statement, so that something can be said between them. */
const SLICE = 250_000

/** After at least one mint, and with no broker running. */
export async function fill(
  { product, dataDir, issuer }: BenchWorld,
  wanted: Amount,
): Promise<void> {
  await withClient(product.databaseUrl, async (client) => {
    for (const setting of FASTER) await client.query(setting)
    await client.query(TEMPLATE)
    const first = Number(await one(client, 'select max(index) + 1 from ledger.leaf'))
    const pairs = Math.ceil((wanted.entries - first) / 2)
    const leases = Math.min(wanted.leases, pairs)
    const indexes = await withoutIndexes(client)
    await inSlices(client, pairs, { what: 'entries of mints', text: leavesFrom(first) })
    for (const index of indexes) await client.query(index)
    await inSlices(client, leases, { what: 'live leases', text: LEASES })
    await inSlices(client, leases, { what: 'their decisions', text: DECISIONS })
    await inSlices(client, leases, { what: 'what they spent', text: SPENT })
    const size = first + 2 * pairs
    for (let level = 1; 2 ** level <= size; level += 1) await client.query(nodesOfLevel(level))
    await signAt(client, size, {
      origin: `${new URL(issuer).host}/v1/ledger`,
      key: createPrivateKey(readFileSync(join(dataDir, 'keys', 'ledger.key'), 'utf8')),
    })
    await client.query(LOOKED_AT, [size - 1])
    await client.query('vacuum analyze')
    await client.query('checkpoint')
    const used = await one(client, 'select pg_size_pretty(pg_database_size(current_database()))')
    say(`${String(size)} entries are signed; ${used} on disk`)
  })
}

/** Of this session only: what is measured afterwards is as durable as ever. */
const FASTER = [
  `set synchronous_commit = off`,
  `set work_mem = '256MB'`,
  `set maintenance_work_mem = '512MB'`,
]

/** They are old, and nobody has to look through them for decisions that were never redeemed. */
const LOOKED_AT = `insert into procura.looked_at values ('main', $1)
  on conflict (tenant) do update set index = excluded.index`

/** The two entries of the newest mint there is. Those of a copy debit nothing, and come after all there is. */
const TEMPLATE = `
  create temporary table template as
  select leaf.event_type as type, l.id as lease, l.decision_id as decision,
         leaf.event_id as own_event, leaf.index as own_index,
         regexp_replace(regexp_replace(leaf.entry, '"budgets":\\[[^]]*\\]', '"budgets":[]'),
           '"recorded_at":"[^"]*"', '"recorded_at":"' || newest.at || '"') as text
  from (select * from procura.lease where state = 'active' order by issued_at desc limit 1) l
  join procura.decision d on d.tenant = l.tenant and d.id = l.decision_id
  join ledger.leaf on leaf.tenant = l.tenant and leaf.event_id in (d.event_id, l.event_id),
  lateral (select entry::jsonb ->> 'recorded_at' as at
           from ledger.leaf order by index desc limit 1) as newest`

/** Ids of the nth copy. As in life, those made later are larger, and names are in no order. */
const id = (kind: string, nth = 'n') => `'${kind}_0' || lpad((${nth})::text, 25, '0')`
const DOWNSTREAM = `'cb_' || translate(substr(md5(n::text), 1, 26), '0189', 'ghij')`
/** One of ten thousand. */
const someone = (kind: string) => id(kind, 'n % 10000')

/** The nth mint's two entries. */
const leavesFrom = (first: number) => `
  insert into ledger.leaf (tenant, index, event_id, event_type, entry, hash)
  select 'main', at, event, type, entry, sha256('\\x00' || convert_to(entry, 'UTF8'))
  from generate_series($1::bigint, $2) as n,
    lateral (values
      (${String(first)} + 2 * n, ${id('evt', '2 * n')}, 'decision'),
      (${String(first)} + 2 * n + 1, ${id('evt', '2 * n + 1')}, 'issuance')) as leaf (at, event, type),
    lateral (select replace(replace(replace(replace(text, decision, ${id('dec')}),
        lease, ${id('crd')}), own_event, event), '"seq":' || own_index || ',', '"seq":' || at || ',')
      from template where template.type = leaf.type) as copy (entry)
  order by at`

const LEASES = `
  insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
    audience, sponsor, agent, instance, consent, jkt, intent, revocation_epoch,
    issued_at, expires_at, event_id)
  select l.tenant, ${id('crd')}, ${id('dec')}, 'active', connector, target, ${DOWNSTREAM},
    audience, sponsor, ${someone('agt')}, ${someone('ins')}, ${someone('con')}, jkt,
    replace(replace(replace(intent::text, decision_id, ${id('dec')}), l.id, ${id('crd')}),
      downstream_name, ${DOWNSTREAM})::jsonb,
    revocation_epoch, now(), now() + interval '1 day' + n * interval '10 ms', ${id('evt', '2 * n + 1')}
  from generate_series($1::bigint, $2) as n,
    procura.lease l where l.id = (select lease from template limit 1)`

const DECISIONS = `
  insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance, consent,
    credential, approval, event_id, snapshot)
  select d.tenant, ${id('dec')}, now() - interval '1 hour' - n * interval '10 ms', face, answer, sponsor, ${someone('agt')}, ${someone('ins')},
    ${someone('con')}, ${id('crd')}, null, ${id('evt', '2 * n')}, ${id('dec')}
  from generate_series($1::bigint, $2) as n,
    procura.decision d where d.id = (select decision from template limit 1)`

const SPENT = `
  insert into procura.spent (tenant, decision, account, key, type, amount)
  select 'main', ${id('dec')}, ${someone('con')}, 'calls', 'max_subtree', 1
  from generate_series($1::bigint, $2) as n`

/** Every complete subtree that is not stored yet, from the two below it. */
const nodesOfLevel = (level: number) => `
  insert into ledger.node (tenant, level, index, hash)
  select 'main', ${String(level)}, index / 2, sha256('\\x01' || hash || next)
  from (select index, hash, lead(hash) over (order by index) as next
        from ${level === 1 ? 'ledger.leaf' : 'ledger.node'}
        where tenant = 'main' ${level === 1 ? '' : `and level = ${String(level - 1)}`}) as below
  where index % 2 = 0 and next is not null
  on conflict do nothing`

/** As the signer would have done, had it been there all the time. */
async function signAt(
  client: Client,
  size: number,
  { origin, key }: { readonly origin: string; readonly key: KeyObject },
): Promise<void> {
  const root = rootOf({ edge: await nodesOf(client, 'main')(edgeOf(size)) })
  const note = signNote(checkpointBody({ origin, size, root }), origin, key)
  const text = `insert into ledger.checkpoint (tenant, size, root, note) values ('main', $1, $2, $3)`
  await client.query(text, [size, Buffer.from(root), note])
}

/** Indexes of the leaves, but for their key, are made at the end; the statements that make them. */
async function withoutIndexes(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ drop: string; make: string }>(
    `select case when c.oid is null then format('drop index %s', i.indexrelid::regclass)
              else format('alter table ledger.leaf drop constraint %I', c.conname) end as drop,
            case when c.oid is null then pg_get_indexdef(i.indexrelid)
              else format('alter table ledger.leaf add constraint %I %s',
                          c.conname, pg_get_constraintdef(c.oid)) end as make
     from pg_index i left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
     where i.indrelid = 'ledger.leaf'::regclass and not i.indisprimary`,
  )
  for (const { drop } of rows) await client.query(drop)
  return rows.map(({ make }) => make)
}

async function inSlices(
  client: Client,
  total: number,
  { what, text }: { readonly what: string; readonly text: string },
): Promise<void> {
  const began = performance.now()
  for (let from = 0; from < total; from += SLICE) {
    await client.query(text, [from, Math.min(from + SLICE, total) - 1])
    const made = Math.min(from + SLICE, total)
    const seconds = ((performance.now() - began) / 1000).toFixed(0)
    say(`${what}: ${String(made)} of ${String(total)} (${seconds} s)`)
  }
}

async function one(client: Client, text: string): Promise<string> {
  const { rows } = await client.query<[unknown]>({ text, rowMode: 'array' })
  return String(rows[0]?.[0])
}

const say = (text: string) => process.stderr.write(`filling: ${text}\n`)
