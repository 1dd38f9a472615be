/** The line between the two processes: who is let in, and what passes. */
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BrokerError } from '../../src/domain/problems.ts'
import { listeningHalf } from '../../src/pdp-house.ts'
import { questionOf, readQuestion } from '../../src/peer/questions.ts'
import {
  aListener,
  anAnswering,
  asking,
  CDP,
  others,
  PDP,
  presented,
  refusalOf,
  SESSION,
  tls,
  WHEN,
} from './lines.ts'

describe('a question', () => {
  it('passes what an agent presented to the octet, and its answer comes back as it was', async () => {
    const shown = { proof: 'p', htm: 'GET', htu: 'u', token: 't', jkt: 'k', usedBy: 'r'.repeat(43) }
    const proofs: unknown[] = []
    const checkProof = (it: typeof shown) => Promise.resolve(void proofs.push(it))
    const { answering, asked, agent } = anAnswering({ checkProof })
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
    expect((await line.authenticate(presented)).session).toEqual(SESSION)
    expect(await line.service(presented, null)).toMatchObject({ audience: 'a' })
    await line.checkProof(shown)
    expect(proofs).toEqual([shown])
  })

  it('is answered with what was decided also to one who has too much going on here; others are refused', async () => {
    const { url } = await aListener(
      anAnswering({
        authenticate(it) {
          it.recognised?.({ kind: 'agent', id: 'agt', sponsor: 'spn' })
          return Promise.resolve({ session: SESSION, jkt: 'k' })
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
    const { url, counted } = await aListener(answering)
    const line = asking(url)
    const huge = { body: Buffer.alloc(400 * 1024) }
    for (const of of [{ path: 'x'.repeat(9000) }, { requestId: 1 as never }, huge]) {
      const no = await refusalOf(line.decide({ ...presented, ...of }))
      expect(no, 'it is a mistake of ours, and not of the agent').toMatchObject({
        ...{ code: 'unavailable', isCounted: false },
        shown: { evaluation: { unavailableInput: 'decision_point' } },
      })
    }
    expect(() => readQuestion('ready', Buffer.from('{} '))).toThrow('not a question')
    expect(readQuestion('ready', questionOf({})).head).toEqual({})
    expect(asked).toEqual([])
    expect(counted).toEqual([])
  })

  it('is one of an agent, whose body its proof has to cover, whatever face it is said to show', async () => {
    const faces: string[] = []
    const heard = { face: 'oauth', path: '/v1/credentials' } as const
    const { url } = await aListener(
      anAnswering({
        decide: ({ face }) => {
          faces.push(face)
          return Promise.resolve({ kind: 'allow', signed: 's' as never })
        },
        service: ({ face }) => {
          faces.push(face)
          return Promise.resolve({ name: 'shop', audience: 'a', tokenHash: 't' })
        },
      }).answering,
    )
    const line = asking(url)
    await line.decide({ ...presented, ...heard })
    await line.decide({ ...presented, ...heard, path: '/oauth/token' })
    await line.service({ ...presented, ...heard, path: '/v1/redemptions' })
    await line.service({ ...presented, path: '/oauth/introspect' })
    expect(faces).toEqual(['native', 'native', 'native', 'oauth'])
  })

  it('that is refused is counted where that was, and told so that it is not counted twice', async () => {
    const no = (code: 'rate_limited' | 'invalid_dpop_proof', shown = {}) =>
      new BrokerError(code, { shown })
    const { answering, agent } = anAnswering({
      decide(it) {
        it.recognised?.({ kind: 'agent', id: agent, sponsor: 'spn' })
        return Promise.reject(no('rate_limited'))
      },
      checkProof: () => Promise.reject(no('invalid_dpop_proof')),
      authenticate: () => Promise.reject(no('rate_limited', { decision: 'dec_1' })),
    })
    const { url, counted } = await aListener(answering)
    const line = asking(url)
    expect((await refusalOf(line.decide(presented)))?.isCounted).toBe(true)
    const shown = { proof: 'p', htm: 'GET', htu: 'u', token: 't', jkt: 'k', usedBy: null }
    expect((await refusalOf(line.checkProof(shown)))?.isCounted).toBe(true)
    const decided = await refusalOf(line.authenticate(presented))
    expect(decided?.isCounted, 'a decision is on record already').toBe(false)
    expect(counted).toEqual([
      ['native', 'rate_limited', agent],
      ['native', 'invalid_dpop_proof', null],
    ])
  })

  it('too many at once are told to come later, and nothing is done for them', async () => {
    const { answering, asked } = anAnswering()
    const { url } = await aListener(answering, { busyMax: 0 })
    expect(await refusalOf(asking(url).decide(presented))).toMatchObject({ code: 'unavailable' })
    expect(asked).toEqual([])
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
    await expect(aRawLine(url, {})()).rejects.toThrow()
    expect(silentMs()).toBe(Infinity)
    const { cert, key } = tls(CDP, PDP)
    expect(await aRawLine(url, { cert, key: key.reveal() })(), 'with one they are').toBeTruthy()
    expect(silentMs()).toBeLessThan(60_000)
  })

  it.each([
    ['of another name', () => tls('procura-other', CDP)],
    ['that somebody else vouches for', () => tls(PDP, CDP, others)],
  ])('an impostor with a certificate %s is told nothing', async (_what, own) => {
    // A habit of some who had trouble with certificates once; it means nothing here.
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onTestFinished(() => {
      vi.unstubAllEnvs()
    })
    const { answering, asked } = anAnswering()
    const { url } = await aListener(answering, { tls: own() })
    expect(await refusalOf(asking(url).decide(presented))).toMatchObject({ code: 'unavailable' })
    expect(asked).toEqual([])
  })
})

/** Asks over connections that are kept, as whoever shows this. */
function aRawLine(url: string, shown: object) {
  const agent = new Agent({ keepAlive: true, ca: tls(CDP, PDP).ca, servername: PDP, ...shown })
  onTestFinished(() => {
    agent.destroy()
  })
  return () =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(`${url}/ready`, { method: 'POST', agent }, (response) => {
        response.resume().once('end', () => {
          resolve(response)
        })
      })
      sent.once('error', reject).end(questionOf({}))
    })
}

describe('a drain', () => {
  it('ends the line: nobody is let in any more, and who is there is told to go', async () => {
    const { url, listener } = await aListener(anAnswering().answering)
    const half = listeningHalf(listener, { host: '127.0.0.1', port: 0 })
    const { cert, key } = tls(CDP, PDP)
    const ask = aRawLine(url, { cert, key: key.reveal() })
    expect((await ask()).headers.connection).toBe('keep-alive')
    const drained = half.drain?.(5000)
    expect((await refusalOf(asking(url).decide(presented)))?.code).toBe('unavailable')
    expect((await ask()).headers.connection).toBe('close')
    await drained
    await expect(ask()).rejects.toThrow('ECONNREFUSED')
  }, 4000)
})
