/** The ideal's ledger: one connection, one statement and one commit for all that waited for the last. */
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
  let next = 0

  async function drain(): Promise<void> {
    isWriting = true
    while (waiting.length > 0) {
      const jobs = waiting.splice(0, BATCH_MAX)
      try {
        await append(client, next, jobs)
        next += jobs.length
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
const APPEND = `
with job as materialized (
  select * from jsonb_to_recordset($1::jsonb) as j
    (index bigint, event_id text, credential text, entry text, hash text, account text)
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
  insert into leaf select index, event_id, entry, decode(hash, 'hex') from job
)
select (select count(*) from debit) = (select count(*) from wanted) as fits`

async function append(client: Client, first: number, jobs: readonly Job[]): Promise<void> {
  const rows = jobs.map(({ row: { eventId, ...row } }, at) => ({
    ...row,
    ...{ index: first + at, event_id: eventId, hash: leafHash(row.entry) },
  }))
  const { rows: answers } = await client.query<{ fits: boolean }>({
    ...{ name: 'append', text: APPEND, values: [JSON.stringify(rows)] },
  })
  if (answers[0]?.fits !== true) throw new Error('an account is overdrawn')
}
