/** Who asks: fresh runs of an agent, and the process that sends their requests. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createClient } from '../src/client/client.ts'
import { generateKey } from '../src/client/key.ts'
import { createCaller } from '../src/client/person.ts'
import type { PersonName } from '../src/cli/dev/issuer.ts'
import { textIn } from '../src/cli/member.ts'
import type { Driven, FromLoad, Minted, Order, RunOf } from './load-order.ts'
import { type Place, standingAt } from './standing.ts'

/** Runs for each turn. */
const RUNS = 32
/** Of them at a time: what is prepared is no load. */
const LANES = 4

/** Fresh runs of an agent, each with its own key, session and consent; at a depth, with its own chain. */
export async function productRuns(
  issuer: string,
  token: (person: PersonName) => string,
  place: Place = { depth: 0, counted: false },
): Promise<RunOf[]> {
  const sponsor = createCaller(issuer, () => token('kim'))
  const stand = await standingAt(place, issuer, sponsor)
  return await runs(async () => {
    const standing = await stand()
    return { jwk: standing.key.exportJwk(), token: await standing.open() }
  })
}

export async function idealRuns(issuer: string): Promise<RunOf[]> {
  const assertion = () => ({ type: 'jwt-bearer', token: 'none' }) as const
  return await runs(async () => {
    const key = generateKey()
    const session = await createClient({ issuer, key, assertion }).connect()
    return { jwk: key.exportJwk(), token: textIn(session, 'access_token') }
  })
}

async function runs(make: () => Promise<RunOf>): Promise<RunOf[]> {
  const made: RunOf[] = []
  const lane = async () => {
    while (made.length < RUNS) made.push(await make())
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return made
}

export interface Load {
  /** @throws Error when any answer was not a credential */
  drive(order: Order, minted: (minted: Minted) => void): Promise<Driven>
  stop(): Promise<void>
}

export function startLoad(): Load {
  const child = fork(join(import.meta.dirname, 'load-process.ts'), { serialization: 'advanced' })
  return {
    drive: (order, minted) => drive(child, order, minted),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    },
  }
}

function drive(
  child: ChildProcess,
  order: Order,
  minted: (minted: Minted) => void,
): Promise<Driven> {
  return new Promise((resolve, reject) => {
    const over = () => {
      child.off('message', listen)
      child.off('exit', gone)
    }
    const gone = () => {
      reject(new Error('the load ended before its time'))
    }
    const listen = (message: FromLoad) => {
      if ('minted' in message) {
        minted(message.minted)
        return
      }
      over()
      if ('driven' in message) resolve(message.driven)
      else reject(new Error(message.failed))
    }
    child.on('message', listen)
    child.once('exit', gone)
    child.send(order)
  })
}
