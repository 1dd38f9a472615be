/** New keys for old while agents are at work: nobody notices, but whoever looks at the keys. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { readJson, type JsonObject } from '../../src/domain/json.ts'
import { procura } from '../cli/run.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { startBroker } from './broker.ts'
import { aHouse, aRun, callers, eventually, REFUND, REFUNDING } from './house.ts'

vi.setConfig({ testTimeout: 180_000 })
const PER_SECOND = 50
/** A machine that others use, too, may be slower: what one agent may do at once is another test's. */
const AT_ONCE = 12
const SETS = ['credentials', 'sessions', 'decisions'] as const

async function aCrew() {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const env = { ...home.env, PROCURA_REQUESTS_PER_SECOND: '5000' }
  const { issuer } = await startBroker(env, ['--workers', '2'])
  return { database, env, issuer, by: callers(home, issuer) }
}

const headOf = (token: string) =>
  readJson(Buffer.from(token.split('.')[0] ?? '', 'base64url')) as { kid: string }

/** A connection of its own each time, so that the workers take turns. */
async function published(issuer: string, set: string): Promise<string[]> {
  const url = `${issuer}/.well-known/jwks/${set}.json`
  const answer = await fetch(url, { headers: { connection: 'close' } })
  return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
}

/** Mints and spends, so many a second, until it is told to stop; every call of it has to succeed. */
function startLoad(mint: () => Promise<string>, spend: (token: string) => Promise<unknown>) {
  const [running, signedBy, failures] = [
    new Set<Promise<void>>(),
    new Map<string, number>(),
    [] as unknown[],
  ]
  const one = async () => {
    const token = await mint()
    const { kid } = headOf(token)
    if (!signedBy.has(kid)) signedBy.set(kid, performance.now())
    await spend(token)
  }
  let [done, isOver] = [0, false]
  const pace = async () => {
    for (let began = performance.now(), n = 0; !isOver; n += 1) {
      const call: Promise<void> = one()
        .then(
          () => {
            done += 1
          },
          (error: unknown) => failures.push(error),
        )
        .then(() => {
          running.delete(call)
        })
      running.add(call)
      if (running.size >= AT_ONCE) await Promise.race(running)
      await pause(Math.max(0, began + ((n + 1) * 1000) / PER_SECOND - performance.now()))
    }
  }
  const pacing = pace()
  return {
    signedBy,
    done: () => done,
    async stop() {
      isOver = true
      await pacing
      await Promise.all(running)
      return failures
    },
  }
}

it('[ADM-11] two rotations within a second under load: nothing fails, and every key was published first', async () => {
  const { database, env, issuer, by } = await aCrew()
  const terms = { ...REFUNDING, max_uses: 1000 }
  const runs = [0, 1, 2, 3].map(() => aRun(by.as('kim'), issuer, terms))
  const clients = (await Promise.all(runs)).map(({ client }) => client)
  for (const client of clients) await client.connect()
  const ask = { tool: 'payments.refund', arguments: REFUND }
  const hashes = new Map<string, string>()
  const mint = async () => {
    const client = clients[hashes.size % clients.length]
    if (client === undefined) throw new Error('nobody is at work')
    const { body } = await client.requestCredential(ask)
    const token = textIn(body['credential'] as JsonObject, 'token')
    hashes.set(token, textIn(body, 'args_hash'))
    return token
  }
  const spend = (token: string) =>
    by.service.post('/v1/redemptions', {
      ...{ token, tool: 'payments.refund', proof_checked: true },
      args_hash: hashes.get(token) ?? '',
    })
  const seen = new Map<string, number>()
  const look = async () => {
    for (const kid of await published(issuer, 'credentials')) {
      if (!seen.has(kid)) seen.set(kid, performance.now())
    }
  }
  await look()
  const load = startLoad(mint, spend)
  await eventually('the first', async () => load.done() > 0)

  const rotate = () => procura(['keys', 'rotate', ...SETS, '--in', '8'], { env })
  const rotating = Promise.all([rotate(), rotate()])
  await eventually('both new keys', () => look().then(() => seen.size === 3), 60)
  const ran = await rotating
  for (const { code, stderr } of ran) expect(code, stderr).toBe(0)
  const kids = ran.flatMap(({ stdout }) =>
    [...stdout.matchAll(/made +(cdp-\S+), .* from (\S+)/g)].map(([, kid = '', from]) => ({
      kid,
      from,
    })),
  )
  kids.sort((one, other) => String(one.from).localeCompare(String(other.from)))
  const last = kids.at(-1)?.kid ?? ''
  await eventually('the last key signs', async () => load.signedBy.has(last), 60)
  await pause(1500)
  const failures = await load.stop()

  expect(failures).toEqual([])
  expect(load.done()).toBeGreaterThan(100)
  expect([...seen.keys()].slice(1).sort()).toEqual(kids.map(({ kid }) => kid).sort())
  for (const [kid, first] of load.signedBy) expect(seen.get(kid), kid).toBeLessThan(first + 1)
  for (const set of SETS) expect(await published(issuer, set)).toHaveLength(3)
  const changes = await database.query<{ name: string; reason: string }>(
    `select entry::jsonb -> 'change' ->> 'name' as name,
            entry::jsonb -> 'change' ->> 'reason_code' as reason
     from ledger.leaf where event_type = 'admin_change' and entry::jsonb -> 'change' ->> 'kind' = 'key'`,
  )
  expect(changes).toHaveLength(2 * SETS.length)
  expect(changes.map(({ name }) => name)).toEqual(
    expect.arrayContaining(kids.map(({ kid }) => kid)),
  )
})
