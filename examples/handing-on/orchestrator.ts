/**
 * An orchestrator: its sponsor lets it read two tables. It starts two workers and hands each of them one
 * table, for a few calls: neither can do what the other can, and together they cannot do more than it.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import type { DelegationAsk, Handed } from '../../src/client/delegating.ts'
import { CannotDelegate, Refused } from '../../src/client/errors.ts'
import { createRun, placeOfThisProcess } from './agent.ts'
import type { Done, Ready, Result } from './messages.ts'

const place = placeOfThisProcess()
const self = createRun(place)
const client = self.client()

interface Task {
  readonly worker: string
  readonly table: string
  readonly calls: number
  readonly statements: readonly string[]
}

const TASKS: readonly Task[] = [
  {
    ...{ worker: 'sales-counter', table: 'public.orders', calls: 2 },
    statements: [
      `select count(*) as orders, sum(total) as total from orders where placed_on < '2026-04-01'`,
      'select name from customers', // The other one's.
      `select count(*) as orders, sum(total) as total from orders where placed_on >= '2026-04-01'`,
      'select count(*) from orders', // One more than it was given.
    ],
  },
  {
    ...{ worker: 'city-lister', table: 'public.customers', calls: 5 },
    statements: [
      'select city, count(*) as customers from customers group by city order by city',
      'select total from orders', // The other one's.
    ],
  },
]
const PURPOSE = 'reporting.weekly'

say('orchestrator', `${self.agent} runs, process ${String(process.pid)}`)
await Promise.all(TASKS.map(doTask))
process.exitCode = 0

async function doTask(task: Task): Promise<void> {
  const keyFile = join(dirname(place.keyFile), `${task.worker}.json`)
  const env = { PATH: process.env['PATH'], BROKER: place.issuer, AGENT_KEY_FILE: keyFile }
  const worker = fork(join(import.meta.dirname, 'worker.ts'), { env })
  const ended = once(worker, 'exit') as Promise<[number]>
  const { agent, jkt } = await next<Ready>(worker)

  const handed = await handOn(task, { agent, jkt })
  const { purpose, statements } = { purpose: PURPOSE, statements: task.statements }
  worker.send({ kind: 'work', chain: handed.chain, purpose, statements })
  const { results } = await next<Done>(worker)
  for (const result of results) tell(task.worker, result)
  const [code] = await ended
  if (code !== 0) throw new Error(`${task.worker} failed`)
}

/** Too much first, to see it found before anybody is asked; then what the task needs. */
async function handOn({ worker, table, calls }: Task, to: DelegationAsk['to']): Promise<Handed> {
  const wanted = (tables: readonly string[]): DelegationAsk => ({
    ...{ to, tools: ['sql.query'], calls, ttl: 300, purpose: PURPOSE, hops: 0 },
    where: [{ key: 'facts.tables', subset_of: tables }],
  })
  await client.delegate(wanted([table, 'public.payroll'])).catch((error: unknown) => {
    if (!(error instanceof CannotDelegate)) throw error
    say('too wide', `${worker}: ${error.message}`)
  })
  const handed = await client.delegate(wanted([table]))
  const { id, depth } = handed
  say('handed on', `${worker}: ${table}, ${String(calls)} calls, depth ${String(depth)} · ${id}`)

  // What it handed on is not its own any more: the chain names the worker's key.
  await self
    .client(handed.chain)
    .connect()
    .catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error
      say(
        'not for me',
        `${worker}'s chain, shown by the orchestrator: ${JSON.stringify(error.problem['outcome'])}`,
      )
    })
  return handed
}

function tell(worker: string, { statement, rows, refused }: Result): void {
  if (rows === null) say('refused', `${worker}: ${statement}\n${' '.repeat(13)}${refused ?? ''}`)
  else {
    const shown = rows.map((row) => Object.values(row).join(' ')).join(', ')
    say('done', `${worker}: ${statement}\n${' '.repeat(13)}→ ${shown}`)
  }
}

async function next<Message>(worker: ChildProcess): Promise<Message> {
  const [message] = (await Promise.race([once(worker, 'message'), failing(worker)])) as [Message]
  return message
}

async function failing(worker: ChildProcess): Promise<never> {
  const [code] = (await once(worker, 'exit')) as [number | null]
  throw new Error(`a worker ended with ${String(code)} before it had answered`)
}

function say(label: string, text: string): void {
  process.stdout.write(`${label.padEnd(12)} ${text}\n`)
}
