/** First act: a consent, a session, a credential, and what it can and cannot do. */
import { performance } from 'node:perf_hooks'
import { textIn } from '../member.ts'
import { plain } from '../print.ts'
import { REPORT_BOT } from '../dev/seed.ts'
import { type Actor, actor, askFor, type Held, type Stage } from './actors.ts'
import { askTarget, checkDead, logIn, type Login, refusedBy } from './login.ts'
import { check, onlyTold, seconds, type Tell, told, until } from './tell.ts'

const COUNT = 'select count(*) from orders'

export interface Used {
  readonly bot: Actor
  /** What the story at the end is about. */
  readonly decision: string
  /** Left alone until its time is over. */
  readonly short: Held & { readonly login: Login }
}

export async function useOne(stage: Stage, tell: Tell): Promise<Used> {
  const bot = await tell('consent', () => consent(stage))
  await tell('session', async () => {
    const { expires_in: life, instance_id: instance } = await bot.client.connect()
    return onlyTold(`${plain(instance)} for ${plain(life)} s, bound to a key that never leaves it`)
  })
  const { held, login } = await tell('issued', () => issue(stage, bot))
  await tell('confined', () => confine(held, login))
  const short = await askFor(bot, COUNT, { ttl_seconds: 3 })
  const open = await logIn(short.credential)
  await tell('given back', () => giveBack(stage, bot, held, login))
  return { bot, decision: textIn(held.body, 'decision_id'), short: { ...short, login: open } }
}

async function consent(stage: Stage) {
  const bot = await actor(stage, {
    ...REPORT_BOT,
    consent: { ...REPORT_BOT.consent, max_uses: 20 },
  })
  const { purpose, max_uses: uses } = bot.consent
  const end = new Date(textIn(bot.consent, 'expires_at')).toTimeString().slice(0, 5)
  const terms = `sql.query on orders and customers for ${plain(purpose)}`
  return told(`ana lets report-bot use ${terms}, ${plain(uses)} uses, until ${end}`, bot)
}

async function issue({ targetUrl }: Stage, bot: Actor) {
  const held = await askFor(bot, COUNT, { purpose: 'reporting.weekly' })
  const login = await logIn(held.credential)
  const [row] = await login.query(COUNT)
  const [truth] = await askTarget(targetUrl, COUNT)
  check(row?.['count'] === truth?.['count'], 'the count of the orders')
  const life = `${plain(held.body['lease_duration'])} s`
  const text = `${COUNT} → a login for ${life}, ${login.username.slice(0, 9)}… → ${plain(row?.['count'])}`
  return told(text, { held, login })
}

/** Seen from the target: no other table, no write, no second connection. */
async function confine({ credential }: Held, login: Login) {
  const tries = {
    'another table': await refusedBy(login.query('select * from payroll')),
    'a write': await refusedBy(login.query('delete from orders')),
    'a new table': await refusedBy(login.query('create table public.loot (id int)')),
    'a second connection': await refusedBy(logIn(credential)),
  }
  check(tries['another table'] === '42501', 'payroll to be refused')
  check(['42501', '25006'].includes(tries['a write']), 'the write to be refused')
  check(['42501', '25006'].includes(tries['a new table']), 'the new table to be refused')
  check(tries['a second connection'] === '53300', 'a second connection to be refused')
  return onlyTold(`the database itself refuses that login ${Object.keys(tries).join(', ')}`)
}

async function giveBack({ targetUrl }: Stage, bot: Actor, held: Held, login: Login) {
  const since = performance.now()
  const { status, confirmed_dead_at: confirmed } = await bot.client.giveBack(held.id)
  check(status === 'returned' && typeof confirmed === 'string', 'the target to have confirmed it')
  await until('the end of its session', () => login.isOver())
  const ms = performance.now() - since
  await checkDead(held.credential)
  const left = await askTarget(targetUrl, 'select from pg_roles where rolname = $1', [
    login.username,
  ])
  check(left.length === 0, 'the login to be gone from the target')
  return onlyTold(
    `before its time: session ended, login dropped in ${seconds(ms)}, confirmed there`,
  )
}

/** Last look at the one that nobody gave back. */
export async function expired(stage: Stage, { bot, short }: Used) {
  const ms = await until('the end of the 3 s login', () => short.login.isOver())
  await checkDead(short.credential)
  await until('its end on record', async () => {
    const { status } = await bot.client.credential(short.id)
    return status === 'expired'
  })
  const left = await askTarget(stage.targetUrl, 'select from pg_roles where rolname = $1', [
    short.login.username,
  ])
  check(left.length === 0, 'the login to be gone from the target')
  const waited = ms > 50 ? `, waited ${seconds(ms)}` : ''
  return onlyTold(`a login of 3 s is dead at the target, its open session too${waited}`)
}
