/** One broker as two processes: each with its own login, its own keys, and a certificate for the other. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { loginPlan } from '../../src/cli/commands/database.ts'
import { freePort } from '../../src/cli/free-port.ts'
import type { Role } from '../../src/db/connect.ts'
import { splitKeys } from '../../src/side-keys.ts'
import type { TestDatabase } from '../pg/database.ts'
import { type BrokerProcess, COMPILED, startBroker } from './broker.ts'
import { type Certificates, someCertificates } from './certificates.ts'
import type { House } from './house.ts'
import { type Router, startRouter } from './router.ts'

type Env = Readonly<Record<string, string>>

export interface Split {
  readonly issuer: string
  readonly router: Router
  readonly certificates: Certificates
  /** Folders of keys: `pdp` and `cdp`. */
  readonly keysDir: string
  /** What each is configured with. */
  readonly env: { readonly pdp: Env; readonly cdp: Env }
}

/** Everything but the processes. */
export async function aSplit(database: TestDatabase, home: House, more: Env = {}): Promise<Split> {
  const router = await startRouter()
  const keysDir = join(home.dataDir, `split-${randomBytes(4).toString('hex')}`)
  await splitKeys(home.keysDir, keysDir)
  await home.sealWith(join(keysDir, 'cdp'))
  const certificates = someCertificates(join(keysDir, 'certificates'))
  const peerPort = await freePort('127.0.0.1')
  const issuer = more['PROCURA_ISSUER'] ?? router.origin
  const env = async (side: 'pdp' | 'cdp') => {
    const { cert, key } = certificates.of(`procura-${side}`)
    return {
      ...{ ...home.env, ...more, PROCURA_ISSUER: issuer, PROCURA_ROLE: side },
      DATABASE_URL: await aLogin(database, side),
      ...{ PROCURA_KEYS: join(keysDir, side), PROCURA_PEER_CA: certificates.ca },
      ...{ PROCURA_PEER_CERT: cert, PROCURA_PEER_KEY: key },
    }
  }
  const [pdp, cdp] = [await env('pdp'), await env('cdp')]
  return {
    ...{ issuer, router, certificates, keysDir },
    env: {
      pdp: { ...pdp, PROCURA_PEER_LISTEN: `127.0.0.1:${String(peerPort)}` },
      cdp: {
        ...{ ...cdp, PROCURA_PEER_URL: `https://127.0.0.1:${String(peerPort)}` },
        PROCURA_POLICIES: join(home.dataDir, 'no-policies-here'),
      },
    },
  }
}

/** Somebody who may become these roles, and has none of their rights before. */
export async function aLogin(
  { url, query }: TestDatabase,
  side: 'pdp' | 'cdp',
  more: readonly Role[] = [],
): Promise<string> {
  const username = `two_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await query(loginPlan(username, side))
  await query(`alter role ${username} password '${password}'`)
  for (const role of more) await query(`grant ${role} to ${username}`)
  logins.push(() => query(`drop role if exists ${username}`))
  return Object.assign(new URL(url), { username, password }).href
}
const logins: (() => Promise<unknown>)[] = []

export interface SplitBroker extends BrokerProcess {
  readonly pdp: BrokerProcess
  readonly cdps: readonly BrokerProcess[]
}

/** @param cdps how many delivering processes */
export async function startSplit(
  { issuer, router, env }: Split,
  cdps = 1,
  options: readonly string[] = [],
): Promise<SplitBroker> {
  const started = await Promise.all([
    startBroker({ ...COMPILED, ...env.pdp }, options),
    ...Array.from({ length: cdps }, () => startBroker(env.cdp, options)),
  ])
  const [pdp, ...delivering] = started
  router.to({ pdp: pdp.port, cdps: delivering.map(({ port }) => port) })
  await readyAt(started)
  const told = (of: 'stdout' | 'stderr') => () => started.map((it) => it[of]()).join('')
  return {
    ...{ pdp, cdps: delivering, issuer, port: router.port, pid: pdp.pid },
    ...{ stdout: told('stdout'), stderr: told('stderr') },
    signal(name) {
      for (const one of delivering) one.signal(name)
      // Who delivers asks who decides, to the end.
      if (name === 'SIGKILL') pdp.signal(name)
      else {
        Promise.all(delivering.map(({ ended }) => ended)).then(
          () => {
            pdp.signal(name)
          },
          () => undefined,
        )
      }
    },
    ended: Promise.all(started.map(({ ended }) => ended)).then((codes) =>
      codes.includes(null) ? null : Math.max(...codes.map(Number)),
    ),
  }
}

/** Each is there, and has heard of the other. */
async function readyAt(processes: readonly BrokerProcess[]): Promise<void> {
  for (const { port } of processes) {
    for (let tries = 0; ; tries += 1) {
      const answer = await fetch(`http://127.0.0.1:${String(port)}/readyz`)
      if (answer.ok) break
      if (tries === 200) throw new Error(`not ready: ${await answer.text()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

afterAll(async () => {
  for (const drop of logins) await drop()
})
