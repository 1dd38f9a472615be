/** What there is to see from outside: the stable views, the target, the journal. Nothing else is read. */
import { existsSync, readFileSync } from 'node:fs'
import { Client } from 'pg'
import { type JsonObject, parseTrusted } from '../src/domain/json.ts'
import type { Line } from './journal.ts'

export interface Leaf {
  readonly seq: number
  readonly eventId: string
  readonly type: string
  readonly entry: string
  /** SHA-256, base64. */
  readonly hash: string
  readonly record: JsonObject
}

export interface Credential {
  readonly id: string
  readonly decision_id: string
  readonly state: string
  readonly connector: string
  readonly downstream_name: string
  readonly sponsor: string
  readonly agent: string
  readonly consent: string
  readonly issued_at: Date
  readonly expires_at: Date
  readonly updated_at: Date
  readonly ended_at: Date | null
  readonly end_reason: string | null
  readonly confirmed_dead_at: Date | null
  readonly approval_id: string | null
}

export interface Approval {
  readonly id: string
  readonly status: string
  readonly binding_hash: string
  readonly agent: string
  readonly sponsor: string
  readonly approver: string | null
  readonly consumed_by: string | null
}

export interface Checkpoint {
  readonly size: number
  readonly root: string
  readonly note: string
}

export interface Snapshot {
  readonly now: Date
  readonly leaves: readonly Leaf[]
  readonly credentials: readonly Credential[]
  readonly approvals: readonly Approval[]
  readonly revocations: readonly { id: string; target_kind: string; target_id: string; at: Date }[]
  readonly keys: readonly { caller: string; route: string; key: string }[]
  readonly checkpoints: readonly Checkpoint[]
  /** Logins at the target that brokers made. */
  readonly logins: readonly string[]
  /** Sessions at the target that were opened with such a login. */
  readonly sessions: readonly string[]
  /** Connections of brokers: how many stand in a transaction idle, and how many locks are older than 10 s. */
  readonly idleInTransaction: number
  readonly oldLocks: number
  readonly journal: readonly Line[]
  /** What brokers printed. */
  readonly printed: readonly string[]
  /** What stands in the files outside the database. */
  readonly witnessed: readonly Pick<Checkpoint, 'size' | 'root'>[]
}

export interface Looking {
  readonly databaseUrl: string
  readonly targetUrl: string
  readonly journal: readonly Line[]
  /** Leaves that were read before: those that follow are added to them. */
  readonly known?: readonly Leaf[]
  readonly logFiles?: readonly string[]
  readonly witnessFiles?: readonly string[]
}

/** One look, at one time: the target first, for what is there has had its row for longer than that. */
export async function look(looking: Looking): Promise<Snapshot> {
  const { databaseUrl, targetUrl, journal, known = [], logFiles = [] } = looking
  const there = await lookAtTarget(targetUrl)
  const witnessed = (looking.witnessFiles ?? []).flatMap(checkpointsIn)
  const printed = logFiles.map((file) => readFileSync(file, 'utf8'))
  const views = await asking(databaseUrl, ROLE, (rows) => readViews(rows, known))
  return { ...there, ...views, journal, printed, witnessed }
}

const ROLE = '-c role=procura_verify -c search_path=pg_catalog'

type Rows = <R>(text: string, values?: unknown[]) => Promise<R[]>

/** As patient as it takes: a machine that is busy is no finding. */
async function asking<T>(
  url: string,
  options: string,
  work: (rows: Rows) => Promise<T>,
): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'hammer check', options })
  client.on('error', () => undefined) // Each query that a broken connection stops says so itself.
  await client.connect()
  try {
    // What is written between two statements of one look would be half seen.
    await client.query('begin isolation level repeatable read read only')
    const rows = async (text: string, values: unknown[] = []) =>
      (await client.query(text, values)).rows as unknown[]
    return await work(rows as Rows)
  } finally {
    await client.end()
  }
}

/** A crash may have torn a line: it is none. */
function checkpointsIn(file: string): Snapshot['witnessed'] {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
  return lines.flatMap((line) => {
    const note = /^\{"checkpoint":("(?:[^"\\]|\\.)*")\}$/.exec(line)?.[1]
    const text = note === undefined ? null : parseTrusted(note)
    const [, size = '', root = ''] = typeof text === 'string' ? text.split('\n') : []
    return root === '' ? [] : [{ size: Number(size), root }]
  })
}

async function readViews(rows: Rows, known: readonly Leaf[]) {
  const from = known.length
  const fresh = await rows<Omit<Leaf, 'record'>>(
    `select seq::int, event_id as "eventId", event_type as type, entry, encode(hash, 'base64') as hash
     from procura.v_ledger where tenant = 'main' and seq >= $1 order by seq`,
    [from],
  )
  const [time] = await rows<{ now: Date }>('select clock_timestamp() as now')
  const read = fresh.map((leaf) => ({ ...leaf, record: parseTrusted(leaf.entry) as JsonObject }))
  return {
    now: time?.now ?? new Date(0),
    leaves: [...known, ...read],
    credentials: await rows<Credential>(`select * from procura.v_credential`),
    approvals: await rows<Approval>(`select * from procura.v_approval`),
    revocations: await rows<Snapshot['revocations'][number]>(`select * from procura.v_revocation`),
    keys: await rows<Snapshot['keys'][number]>(`select * from procura.v_idempotency`),
    checkpoints: await rows<Checkpoint>(
      `select size::int, encode(root, 'base64') as root, note from ledger.checkpoint order by size`,
    ),
  }
}

async function lookAtTarget(url: string) {
  return await asking(url, '-c search_path=pg_catalog', async (rows) => {
    const names = async (text: string) =>
      (await rows<{ name: string }>(text)).map(({ name }) => name)
    const [held] = await rows<{ idle: number; locks: number }>(
      `select (select count(*)::int from pg_stat_activity where application_name like 'procura%'
                 and state like 'idle in transaction%'
                 and state_change < now() - interval '10 s') as idle,
              (select count(*)::int from pg_locks where waitstart < now() - interval '10 s') as locks`,
    )
    return {
      logins: await names(`select rolname as name from pg_roles where rolname like 'cb\\_%'`),
      sessions: await names(
        `select usename as name from pg_stat_activity where usename like 'cb\\_%'`,
      ),
      idleInTransaction: held?.idle ?? 0,
      oldLocks: held?.locks ?? 0,
    }
  })
}
