/** Both ends of a line, each of which a test may spoil. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import type { Session } from '../../src/domain/instance.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Presented } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { type AnsweringOptions, type Call, createListener } from '../../src/peer/answering.ts'
import { createAsking } from '../../src/peer/asking.ts'
import type { Answering, Refused } from '../../src/peer/questions.ts'
import type { PeerTls } from '../../src/peer/tls.ts'
import { type Certificates, someCertificates } from '../scenario/certificates.ts'

const dir = mkdtempSync(join(tmpdir(), 'procura-peer-'))
export let ours: Certificates
export let others: Certificates
beforeAll(() => {
  ours = someCertificates(join(dir, 'ours'))
  others = someCertificates(join(dir, 'others'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** Who shows the certificate of `own`, and expects `name` at the other end. */
export function tls(own: string, name: string, by = ours, ca = ours.ca): PeerTls {
  const { cert, key } = by.of(own)
  const text = (file: string) => readFileSync(file, 'utf8')
  return { cert: text(cert), key: new Secret(text(key)), ca: text(ca), name }
}

export const PDP = 'procura-pdp'
export const CDP = 'procura-cdp'
export const WHEN = new Date('2026-11-21T10:00:00Z')
export const presented: Presented = {
  ...{ method: 'POST', path: '/v1/credentials', authorization: 'DPoP x', dpop: 'y' },
  ...{ idempotencyKey: null, body: Buffer.from([0, 10, 255]), requestId: 'r-1', face: 'native' },
  origin: { address: '127.0.0.1', userAgent: null },
}

export const SESSION: Session = {
  ...{ agent: newId('agt', WHEN), instance: newId('ins', WHEN), sponsor: newId('spn', WHEN) },
  ...{ consent: newId('con', WHEN), delegation: null, model: null, jti: 'j', tokenHash: 'h' },
  authority: { scopes: ['crm.*'], purpose: 'p', constraints: [{ key: 'args.a', max: 1 }] },
  expiresAt: WHEN,
}

/** Says what it was asked; refuses where it is told to. */
export function anAnswering(of: Partial<Answering> = {}) {
  const asked: Presented[] = []
  const told: Refused[] = []
  const agent = newId('agt', WHEN)
  const answering: Answering = {
    decide(it) {
      asked.push(it)
      it.recognised?.({ kind: 'agent', id: agent, sponsor: 'spn' })
      return Promise.resolve({
        ...{ kind: 'ask', decision: newId('dec', WHEN), argsHash: 'h', level: 'L2' },
        ...{ approval: { id: newId('apr', WHEN), expiresAt: WHEN }, rules: [], isRepeat: false },
      })
    },
    authenticate: () => Promise.resolve({ session: SESSION, jkt: 'k' }),
    service: () => Promise.resolve({ name: 'shop', audience: 'a', tokenHash: 't' }),
    checkProof: () => Promise.resolve(),
    refused: (counts) => {
      told.push(...counts)
      return Promise.resolve()
    },
    ready: () => Promise.resolve({ failing: null }),
    ...of,
  }
  return { answering, asked, told, agent }
}

export async function aListener(
  answering: Answering,
  how: Partial<Pick<AnsweringOptions, 'tls' | 'busyMax' | 'limit'>> = {},
) {
  const limited: Call[] = []
  const counted: unknown[][] = []
  const logged: object[] = []
  const log = (fields: object) => {
    logged.push(fields)
  }
  const listener = createListener({
    ...{ tls: tls(PDP, CDP), busyMax: 10, nonce: () => 'nonce-1', answering },
    limit: (call, { id }) => {
      call.caller = id
      limited.push(call)
    },
    ...how,
    refused: (...it) => counted.push(it),
    ...{ track: (work) => work, meter: { count: () => undefined }, log: { info: log, error: log } },
  })
  const { server, silentMs } = listener
  return { url: await listening(server), listener, limited, counted, logged, silentMs }
}

export async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`
}

export function asking(url: string, own = tls(CDP, PDP)) {
  const line = createAsking({ url, tls: own, socketsMax: 8, meter: { count: () => undefined } })
  onTestFinished(() => {
    line.end()
  })
  return line
}

export const refusalOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => null,
    (error: unknown) => {
      if (error instanceof BrokerError) return error
      throw error
    },
  )
