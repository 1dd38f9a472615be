/** Two started brokers on one database behind one address, and what attacks on them share. */
import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { startBalancer } from '../scenario/balancer.ts'
import { aHouse, callers, REFUND, type Run } from '../scenario/house.ts'
import { startReplicas } from '../scenario/replicas.ts'
import { aSplit, startSplit } from '../scenario/two-processes.ts'

export type TwoBrokers = Awaited<ReturnType<typeof twoBrokers>>

export async function twoBrokers() {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const balancer = await startBalancer()
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const own = { PROCURA_ISSUER: balancer.origin, PROCURA_REQUESTS_PER_SECOND: '5000' }
  const brokers = await startReplicas(home, { ...home.env, ...own })
  balancer.to(...brokers.map(({ port }) => port))
  const issuer = balancer.origin
  return { database, home, brokers, issuer, by: callers(home, issuer) }
}

/** One that decides and two that deliver, which are what callers of credentials see. */
export async function twoDelivering(): Promise<TwoBrokers> {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const split = await aSplit(database, home, { PROCURA_REQUESTS_PER_SECOND: '5000' })
  const { issuer, cdps } = await startSplit(split, 2)
  const [one, two] = cdps
  if (one === undefined || two === undefined) throw new Error('there are not two')
  return { database, home, brokers: [one, two], issuer, by: callers(home, issuer) }
}

export const refund = { tool: 'payments.refund', arguments: REFUND }
export const query = (sql: string) => ({ tool: 'sql.query', arguments: { sql } })

export const codeOf = (error: unknown) => (error instanceof Refused ? error.code : String(error))

/** How often each thing is in the list. */
export function tally(list: readonly string[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const it of list) sums[it] = (sums[it] ?? 0) + 1
  return sums
}

/** `done`, or the code of the refusal, of each. */
export async function outcomes(attempts: readonly Promise<unknown>[]) {
  const settled = await Promise.allSettled(attempts)
  return tally(settled.map((it) => (it.status === 'fulfilled' ? 'done' : codeOf(it.reason))))
}

/** What a caller gets who is told that it cannot be done now, and asks again, for fifteen seconds. */
export async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 15_000
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const isOutage = /^(temporarily_)?unavailable$/.test(codeOf(error))
      if (!isOutage || performance.now() > deadline) throw error
      await pause(100)
    }
  }
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

/** Headers with a proof over this body: what is signed by hand can be sent twice. */
export async function signedFor(run: Run, issuer: string, body: string) {
  const token = textIn(await run.client.connect(), 'access_token')
  const url = `${issuer}/v1/credentials`
  const unproven = await fetch(url, { method: 'POST' })
  const claims = {
    ...{ jti: randomUUID(), htm: 'POST', htu: url, nonce: unproven.headers.get('dpop-nonce') },
    ...{ iat: Math.floor(Date.now() / 1000), ath: sha256(token), body_sha256: sha256(body) },
  }
  const dpop = run.key.sign('dpop+jwt', claims, { jwk: run.key.publicJwk })
  return { authorization: `DPoP ${token}`, 'content-type': 'application/json', dpop }
}
