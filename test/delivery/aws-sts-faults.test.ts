import type { ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NoEffect, NotYet, Silent } from '../../src/delivery/connector.ts'
import { within } from '../../src/delivery/deadline.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, session, xml } from '../fakes/aws-endpoint.ts'
import { intentFor, targetAt } from './aws-target.ts'

let endpoint: AwsEndpoint
let healthy: AwsEndpoint['answer']
beforeAll(async () => {
  endpoint = await anAwsEndpoint()
  healthy = endpoint.answer
})
beforeEach(() => {
  endpoint.answer = healthy
  endpoint.asked.length = 0
})
afterAll(() => endpoint.close())

const issue = (intent: Intent, more: object = {}, milliseconds = 3000) =>
  within(milliseconds, (signal) => targetAt(endpoint.url, more).issue(intent, signal))
const failed = async (of: Promise<unknown>) =>
  of.then(
    () => {
      throw new Error('it was made')
    },
    (error: unknown) => error,
  )

describe('an answer', () => {
  const answers = (answer: (res: ServerResponse, name: string) => void) => {
    endpoint.answer = (res, form) => {
      answer(res, form.get('RoleSessionName') ?? '')
    }
  }

  it.each([400, 403, 404, 429])('of %i says that nothing was made', async (status) => {
    answers((res) => {
      xml(res, status, failure('Throttling'))
    })
    const error = await failed(issue(intentFor('7')))
    expect(error).toBeInstanceOf(NoEffect)
    expect(inspect(error, { depth: 9 })).not.toContain('canary')
  })

  it.each<[string, (res: ServerResponse, name: string) => void]>([
    [
      'of 500',
      (res) => {
        xml(res, 500, failure('InternalFailure'))
      },
    ],
    [
      'of 503',
      (res) => {
        xml(res, 503, '')
      },
    ],
    [
      'that goes elsewhere',
      (res) => {
        res.writeHead(307, { Location: '/elsewhere' }).end()
      },
    ],
    [
      'that is nonsense',
      (res) => {
        xml(res, 200, 'nonsense canary')
      },
    ],
    [
      'that is no XML',
      (res) => {
        res.writeHead(200).end('{"canary":1}')
      },
    ],
    [
      'without a key in it',
      (res) => {
        xml(res, 200, '<AssumeRoleResponse/>')
      },
    ],
    [
      'about another session',
      (res) => {
        xml(res, 200, session('cb_another'))
      },
    ],
    [
      'that breaks off',
      (res, name) => {
        res.writeHead(200).write(session(name).slice(0, 300))
        res.destroy()
      },
    ],
    [
      'that is only a closed connection',
      (res) => {
        res.destroy()
      },
    ],
  ])('%s is no success and no denial, and is asked for once', async (_what, answer) => {
    answers(answer)
    const error = await failed(issue(intentFor('7')))
    expect(error).not.toBeInstanceOf(NoEffect)
    expect(inspect(error, { depth: 9 })).not.toContain('canary')
    expect(endpoint.asked).toHaveLength(1)
  })

  it('that does not come is waited for as long as the signal says', async () => {
    answers(() => undefined)
    const since = performance.now()
    const error = await failed(issue(intentFor('7'), {}, 300))
    expect(error).toMatchObject({ name: 'TimeoutError' })
    expect(performance.now() - since).toBeLessThan(1500)
    expect(endpoint.asked).toHaveLength(1)
  })

  it('that says it ends earlier is believed', async () => {
    const intent = intentFor('7')
    const earlier = new Date(Math.floor(intent.expiresAt.getTime() / 1000) * 1000 - 30_000)
    answers((res, name) => {
      xml(res, 200, session(name, earlier.toISOString()))
    })
    expect((await issue(intent)).expiresAt).toEqual(earlier)
  })
})

describe('nobody there', () => {
  it('has made nothing', async () => {
    expect(await failed(issue(intentFor('7'), { endpoint: 'http://127.0.0.1:1' }))).toBeInstanceOf(
      NoEffect,
    )
  })
})

describe('the end of a session', () => {
  const revoke = (more: object, endsAt: Date) =>
    within(3000, (signal) =>
      targetAt(endpoint.url, more).revoke(intentFor('7').downstreamName, signal, endsAt),
    )
  const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)

  it('is confirmed when it is past by a clock that is a minute behind, too', async () => {
    const soon = await failed(revoke({}, inSeconds(-30)))
    expect(soon).toBeInstanceOf(NotYet)
    expect((soon as NotYet).waitMs).toBeGreaterThan(28_000)
    expect(await revoke({}, inSeconds(-61))).toEqual({ found: true })
  })

  it('is asked of a silent endpoint by one for all; a no of it holds up nobody', async () => {
    const early = { kill_switch: 'role_policy' }
    const gone = { ...early, endpoint: 'http://127.0.0.1:1' }
    expect(await failed(revoke(gone, inSeconds(60)))).toBeInstanceOf(Silent)
    endpoint.answer = (res) => {
      xml(res, 403, failure('AccessDenied'))
    }
    const refused = await failed(revoke(early, inSeconds(60)))
    expect(refused).toMatchObject({ message: 'The target answered 403' })
    expect(refused).not.toBeInstanceOf(Silent)
  })
})
