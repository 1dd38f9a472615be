/** The line between the two processes: who is let in, what passes, and what becomes of what is not answered. */
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Presented } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { type Call, createListener } from '../../src/peer/answering.ts'
import { createAsking } from '../../src/peer/asking.ts'
import type { Answering, Refused } from '../../src/peer/questions.ts'
import { createTellingRefusals } from '../../src/peer/refusals.ts'
import type { PeerTls } from '../../src/peer/tls.ts'
import { type Certificates, someCertificates } from '../scenario/certificates.ts'

const dir = mkdtempSync(join(tmpdir(), 'procura-peer-'))
let ours: Certificates
let others: Certificates
beforeAll(() => {
  ours = someCertificates(join(dir, 'ours'))
  others = someCertificates(join(dir, 'others'))
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** Who shows the certificate of `own`, and expects `name` at the other end. */
function tls(own: string, name: string, by = ours, ca = ours.ca): PeerTls {
  const { cert, key } = by.of(own)
  const text = (file: string) => readFileSync(file, 'utf8')
  return { cert: text(cert), key: new Secret(text(key)), ca: text(ca), name }
}

const PDP = 'procura-pdp'
const CDP = 'procura-cdp'
const WHEN = new Date('2026-11-21T10:00:00Z')
const presented: Presented = {
  ...{ method: 'POST', path: '/v1/credentials', authorization: 'DPoP x', dpop: 'y' },
  ...{ idempotencyKey: null, body: Buffer.from([0, 10, 255]), requestId: 'r-1', face: 'native' },
  origin: { address: '127.0.0.1', userAgent: null },
}

/** Says what it was asked; refuses where it is told to. */
function anAnswering(of: Partial<Answering> = {}) {
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
    authenticate: () => Promise.resolve({ session: { expiresAt: WHEN } as never, jkt: 'k' }),
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

async function aListener(
  answering: Answering,
  how: Partial<{ tls: PeerTls; busyMax: number }> = {},
) {
  const limited: Call[] = []
  const logged: object[] = []
  const log = (fields: object) => {
    logged.push(fields)
  }
  const { server, silentMs } = createListener({
    ...{ tls: tls(PDP, CDP), busyMax: 10, nonce: () => 'nonce-1', answering, ...how },
    limit: (call, { id }) => {
      call.caller = id
      limited.push(call)
    },
    ...{ track: (work) => work, meter: { count: () => undefined }, log: { info: log, error: log } },
  })
  return { url: await listening(server), limited, logged, silentMs }
}

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `https://127.0.0.1:${String((server.address() as AddressInfo).port)}`
}

function asking(url: string, own = tls(CDP, PDP)) {
  const line = createAsking({ url, tls: own, socketsMax: 8, meter: { count: () => undefined } })
  onTestFinished(() => {
    line.end()
  })
  return line
}

const refusalOf = (attempt: Promise<unknown>) =>
  attempt.then(
    () => null,
    (error: unknown) => {
      if (error instanceof BrokerError) return error
      throw error
    },
  )

describe('a question', () => {
  it('passes what an agent presented to the octet, and its answer comes back as it was', async () => {
    const { answering, asked, agent } = anAnswering()
    const { url, limited } = await aListener(answering)
    const line = asking(url)
    const recognised: string[] = []
    const answer = await line.decide({ ...presented, recognised: ({ id }) => recognised.push(id) })
    expect(answer).toMatchObject({ kind: 'ask', approval: { expiresAt: WHEN } })
    const { recognised: _ours, ...as } = asked[0] ?? presented
    expect({ ...as, body: Buffer.from(as.body) }).toEqual(presented)
    expect(recognised).toEqual([agent])
    expect(
      limited.map(({ caller }) => caller),
      'limits are where callers are known',
    ).toEqual([agent])
    expect(line.nonce()).toBe('nonce-1')
    expect((await line.authenticate(presented)).session.expiresAt).toEqual(WHEN)
    expect(await line.service(presented, null)).toMatchObject({ audience: 'a' })
    await line.checkProof({ proof: 'p', htm: 'GET', htu: 'u', token: 't', jkt: 'k' })
  })

  it('is answered with what was decided also to one who has too much going on here; others are refused', async () => {
    const { url } = await aListener(
      anAnswering({
        authenticate(it) {
          it.recognised?.({ kind: 'agent', id: 'agt', sponsor: 'spn' })
          return Promise.resolve({ session: { expiresAt: WHEN } as never, jkt: 'k' })
        },
      }).answering,
    )
    const line = asking(url)
    const recognised = () => {
      throw new BrokerError('rate_limited')
    }
    expect((await line.decide({ ...presented, recognised })).kind).toBe('ask')
    const refused = await refusalOf(line.authenticate({ ...presented, recognised }))
    expect(refused?.code).toBe('rate_limited')
  })

  it('is refused with all that the agent may be shown, and no more of what went wrong', async () => {
    const no = new BrokerError('access_denied', {
      ...{ message: 'a sentence for our log', cause: new Error('secret') },
      shown: { decision: 'dec_1', reason: 'forbid', stoppedBy: { hop: 0, kind: 'agent', id: 'x' } },
    })
    const { answering } = anAnswering({
      decide: () => Promise.reject(no),
      authenticate: () => Promise.reject(new TypeError('postgres://user:secret@host')),
    })
    const { url, logged } = await aListener(answering)
    const line = asking(url)
    const denied = await refusalOf(line.decide(presented))
    expect(denied).toMatchObject({ code: 'access_denied', shown: no.shown })
    const failed = await refusalOf(line.authenticate(presented))
    expect(failed).toMatchObject({ code: 'internal_error', message: 'internal_error', shown: {} })
    expect(JSON.stringify([denied, failed, logged])).not.toContain('secret')
  })

  it('that is none of ours is not read', async () => {
    const { answering, asked } = anAnswering()
    const { url } = await aListener(answering)
    const line = asking(url)
    for (const of of [{ face: 'system' }, { face: 'authzen' }, { path: 'x'.repeat(9000) }]) {
      const wrong = { ...presented, ...of } as Presented
      expect((await refusalOf(line.decide(wrong)))?.code).toBe('malformed_request')
    }
    const huge = { ...presented, body: Buffer.alloc(400 * 1024) }
    expect((await refusalOf(line.decide(huge)))?.code).toBe('malformed_request')
    expect(asked).toEqual([])
  })

  it('too many at once are told to come later, and nothing is done for them', async () => {
    const { answering } = anAnswering()
    const { url } = await aListener(answering, { busyMax: 0 })
    expect(await refusalOf(asking(url).decide(presented))).toMatchObject({ code: 'unavailable' })
  })
})

describe('who is at the other end', () => {
  it.each([
    ['of another name', () => tls('procura-other', PDP)],
    ['of the other side', () => tls(PDP, PDP)],
    ['that somebody else vouches for', () => tls(CDP, PDP, others)],
  ])('a certificate %s is not answered', async (_what, own) => {
    const { answering, asked } = anAnswering()
    const { url } = await aListener(answering)
    const no = await refusalOf(asking(url, own()).decide(presented))
    expect(no).toMatchObject({ code: 'unavailable' })
    expect(no?.shown.evaluation?.unavailableInput).toBe('decision_point')
    expect((await asking(url).decide(presented)).kind, 'and the right one is').toBe('ask')
    expect(asked).toHaveLength(1)
  })

  it('nobody without a certificate is answered', async () => {
    const { answering } = anAnswering()
    const { url, silentMs } = await aListener(answering)
    await expect(fetch(`${url}/ready`, { method: 'POST' })).rejects.toThrow()
    expect(silentMs()).toBe(Infinity)
  })

  it.each([
    ['of another name', () => tls('procura-other', CDP)],
    ['that somebody else vouches for', () => tls(PDP, CDP, others)],
  ])('an impostor with a certificate %s is told nothing', async (_what, own) => {
    const { answering, asked } = anAnswering()
    const { url } = await aListener(answering, { tls: own() })
    expect(await refusalOf(asking(url).decide(presented))).toMatchObject({ code: 'unavailable' })
    expect(asked).toEqual([])
  })
})

describe('what is not answered', () => {
  it('is 503 and asked once: a decision may have been made', async () => {
    let times = 0
    const { cert, key, ca } = tls(PDP, CDP)
    const options = { cert, key: key.reveal(), ca, requestCert: true }
    const server = createServer(options, (req) => {
      times += 1
      req.resume().once('end', () => req.socket.destroy())
    })
    const line = asking(await listening(server))
    expect(await refusalOf(line.decide(presented))).toMatchObject({ code: 'unavailable' })
    expect(times).toBe(1)
  })

  it.each([
    ['no JSON', 'nonsense'],
    ['no reply', '{"answer":{"kind":"allow","signed":"x"}}'],
    ['a code that is none', '{"nonce":"n","caller":null,"refusal":{"code":"no_such"}}'],
  ])('nor is what is answered with %s', async (_what, text) => {
    const { cert, key, ca } = tls(PDP, CDP)
    const server = createServer({ cert, key: key.reveal(), ca, requestCert: true }, (_req, res) =>
      res.end(text),
    )
    const line = asking(await listening(server))
    expect(await refusalOf(line.decide(presented))).toMatchObject({ code: 'unavailable' })
  })
})

describe('refusals of the delivering side', () => {
  it('are told in sums, and kept until they could be told', async () => {
    const told: Refused[][] = []
    let isDown = true
    const refusals = createTellingRefusals({
      refused(counts) {
        if (isDown) return Promise.reject(new Error('down'))
        told.push([...counts])
        return Promise.resolve()
      },
    })
    for (const code of ['rate_limited', 'rate_limited', 'not_found']) {
      refusals.count('native', code, null)
    }
    await expect(refusals.flush()).rejects.toThrow('down')
    refusals.count('native', 'not_found', null)
    isDown = false
    await refusals.flush()
    await refusals.flush()
    expect(told).toEqual([
      [
        { face: 'native', code: 'rate_limited', caller: null, count: 2 },
        { face: 'native', code: 'not_found', caller: null, count: 2 },
      ],
    ])
  })

  it('of any number of callers are never more than can be told at once', async () => {
    const told: Refused[] = []
    const refusals = createTellingRefusals({
      refused: (counts) => Promise.resolve(void told.push(...counts)),
    })
    for (let n = 0; n < 2000; n += 1) refusals.count('native', 'not_found', `agt_${String(n)}`)
    await refusals.flush()
    expect(told.length).toBeLessThanOrEqual(500)
    expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(2000)
  })
})
