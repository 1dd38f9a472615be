/**
 * The ideal's ledger: one connection a process, one statement and one commit for all that waited for the
 * last. Of several processes one writes at a time: a lock of the database, taken in that very statement,
 * was cheaper than handing leaves from one process to another.
 */
import { Client, Pool } from 'pg'
import { leafHash } from './ideal-jws.ts'

export interface Row {
  readonly eventId: string
  readonly credential: string
  readonly entry: string
  /** The account that a decision debits; `null` for an issuance, which makes the lease active. */
  readonly account: string | null
}

export interface Store {
  /** Resolves once it is committed. */
  record(row: Row): Promise<void>
  openAccount(account: string): Promise<void>
  end(): Promise<void>
}

interface Job {
  readonly row: Row
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

const BATCH_MAX = 64

export async function openStore(url: string): Promise<Store> {
  const client = new Client({ connectionString: url, application_name: 'procura-bench ideal' })
  await client.connect()
  const accounts = new Pool({ connectionString: url, max: 1 })
  const waiting: Job[] = []
  let isWriting = false

  async function drain(): Promise<void> {
    isWriting = true
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, BATCH_MAX)
      try {
        await append(client, jobs)
        for (const { resolve } of jobs) resolve()
      } catch (error) {
        for (const { reject } of jobs) reject(error)
      }
    }
    isWriting = false
  }

  return {
    record: (row) =>
      new Promise((resolve, reject) => {
        waiting.push({ row, resolve, reject })
        if (!isWriting) drain().catch(reject)
      }),
    async openAccount(account) {
      const text = `insert into budget (account, bound) values ($1, 1000000) on conflict do nothing`
      await accounts.query(text, [account])
    },
    async end() {
      await Promise.all([accounts.end(), client.end()])
    },
  }
}

/** The debit is conditional, and its row count is checked: an overdrawn account stops the batch. */
export const IDEAL_SCHEMA = `
create table leaf (
  index bigint primary key, event_id text not null unique, entry text not null, hash bytea not null);
create table budget (account text primary key, bound bigint not null, used bigint not null default 0);
create table intent (id text primary key, entry text not null);
create table lease (id text primary key, activated_at timestamptz not null default now());
create function append(jobs jsonb) returns void language plpgsql as $$
declare
  first bigint;
  fits boolean;
begin
  perform pg_advisory_xact_lock(6962);
  select coalesce(max(index) + 1, 0) into first from leaf;
  with job as materialized (
    select * from rows from (jsonb_to_recordset(jobs) as
      (event_id text, credential text, entry text, hash text, account text))
      with ordinality as j (event_id, credential, entry, hash, account, nth)
  ), wanted as (
    select account, count(*) as uses from job where account is not null group by account
  ), debit as (
    update budget b set used = b.used + w.uses from wanted w
    where b.account = w.account and b.used + w.uses <= b.bound returning b.account
  ), intents as (
    insert into intent select credential, entry from job where account is not null
  ), leases as (
    insert into lease (id) select credential from job where account is null
  ), leaves as (
    insert into leaf select first + nth - 1, event_id, entry, decode(hash, 'hex') from job
  )
  select (select count(*) from debit) = (select count(*) from wanted) into fits;
  if not fits then
    raise exception 'an account is overdrawn';
  end if;
end $$`

async function append(client: Client, jobs: readonly Job[]): Promise<void> {
  const rows = jobs.map(({ row: { eventId, ...row } }) => ({
    ...row,
    ...{ event_id: eventId, hash: leafHash(row.entry) },
  }))
  await client.query({ name: 'append', text: 'select append($1)', values: [JSON.stringify(rows)] })
}
