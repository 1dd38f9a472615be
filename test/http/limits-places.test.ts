import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/domain/problems.ts'
import { createGate } from '../../src/http/places.ts'
import type { Front } from '../../src/http/front.ts'
import { type Answer, aFront, HEADERS, json as asJson, LIMITS, serving } from '../fakes/front.ts'
import { head } from '../fakes/raw.ts'
import { IDS } from '../fakes/settled.ts'

describe('a gate', () => {
  it('lets in as many as there are places, then in the order they came, and refuses the rest', () => {
    const gate = createGate({ places: 2, waitingMax: 2, waitMs: 10_000 })
    const entered: string[] = []
    const ask = (name: string) =>
      gate.ask(
        () => entered.push(name),
        () => entered.push(`not ${name}`),
      )
    const [, , , giveUp] = ['a', 'b', 'c', 'd'].map(ask)
    expect(entered).toEqual(['a', 'b'])
    expect(() => ask('e')).toThrow(BrokerError)
    gate.leave()
    expect(entered).toEqual(['a', 'b', 'c'])
    giveUp?.()
    gate.leave()
    gate.leave()
    ask('f')
    ask('g')
    expect(entered).toEqual(['a', 'b', 'c', 'f', 'g'])
  })

  it('refuses whoever has waited too long, and gives the place to the next', async () => {
    const gate = createGate({ places: 1, waitingMax: 1, waitMs: 20 })
    gate.ask(
      () => undefined,
      () => undefined,
    )
    const code = await new Promise((resolve) => {
      gate.ask(
        () => {
          resolve('entered')
        },
        ({ code: refused, shown }) => {
          resolve([refused, shown.retryAfterSeconds])
        },
      )
    })
    expect(code).toEqual(['unavailable', 1])
    let hasEntered = false
    gate.leave()
    gate.ask(
      () => (hasEntered = true),
      () => undefined,
    )
    expect(hasEntered).toBe(true)
  })
})

/** A front on which reading agents or leases, or knowing who revokes, takes until it is told to end. */
function held(concurrentMax: number) {
  let open = (): void => undefined
  let entered = 0
  const gate = new Promise<void>((resolve) => (open = resolve))
  const front = aFront({ limits: { ...LIMITS, concurrentMax } })
  const slowly: Front = {
    ...front,
    identity: {
      ...front.identity,
      client: async (form, presented) => {
        entered += 1
        await gate
        return await front.identity.client(form, presented)
      },
    },
    agents: {
      ...front.agents,
      find: async (person, id) => {
        await gate
        return await front.agents.find(person, id)
      },
    },
    credentials: {
      ...front.credentials,
      read: async (instance, id) => {
        await gate
        return await front.credentials.read(instance, id)
      },
    },
  }
  return {
    front: slowly,
    entered: () => entered,
    open: () => {
      open()
    },
  }
}

const agentsOwn = `/v1/credentials/${IDS.credential}`
const persons = `/v1/agents/${IDS.agent}`

describe('more at once than can be done', () => {
  it('is refused in milliseconds, and what was going on goes on', async () => {
    const { front, open } = held(4)
    await serving(front, async ({ call }) => {
      const get = () => call('GET', agentsOwn, { headers: HEADERS.agent })
      const known = [get(), get()] // as much as one agent may hold
      await expect.poll(async () => (await get()).status).toBe(429)
      const startedAt = performance.now()
      expect((await get()).body['code']).toBe('rate_limited')
      expect(performance.now() - startedAt).toBeLessThan(200)
      open()
      expect((await Promise.all(known)).map(({ status }) => status)).toEqual([200, 200])
      expect((await get()).status).toBe(200)
    })
  })

  it('of agents does not keep a person waiting, nor the other way round', async () => {
    const { front, open } = held(4)
    await serving(front, async ({ call }) => {
      const sponsor = { headers: HEADERS.sponsor }
      const kept = [call('GET', persons, sponsor)] // the one place that people have here
      const waited = async () => (await call('GET', '/v1/agents', sponsor)).status
      await expect.poll(waited).toBe(503)
      const credential = { tool: 'sql.query', arguments: {} }
      const answer = await call('POST', '/v1/credentials', {
        headers: { ...HEADERS.agent, 'content-type': 'application/json' },
        body: JSON.stringify(credential),
      })
      expect(answer.status).toBe(201)
      open()
      expect((await Promise.all(kept)).map(({ status }) => status)).toEqual([200])
      expect(await waited()).toBe(200)
    })
  })

  it('of those who revoke tokens does not keep an operator from freezing', async () => {
    const { front, entered, open } = held(4)
    await serving(front, async ({ call }) => {
      const body = new URLSearchParams({ token: 'x', client_assertion: 'desk' })
      const revoking = [1, 2].map(() => call('POST', '/oauth/revoke', { body }))
      await expect.poll(entered).toBeGreaterThan(0)
      const scope = { kind: 'tool', id: 'sql.query' }
      const freeze = { scope, state: 'frozen', cause: 'withdrawn', reason: 'x' }
      const frozen = await call('POST', '/v1/freeze', asJson(HEADERS.operator, freeze))
      open()
      const revoked = await Promise.all(revoking)
      expect(frozen.status).toBe(201)
      expect(revoked.map(({ status }) => status)).toEqual([200, 200])
    })
  })

  it('does not count those that only wait, who have a bound of their own', async () => {
    const front = aFront({ limits: { ...LIMITS, concurrentMax: 16 } })
    let looks = 0
    const find: typeof front.approvals.find = (person, id) => {
      looks += 1
      return front.approvals.find(person, id)
    }
    await serving({ ...front, approvals: { ...front.approvals, find } }, async ({ call }) => {
      let answered = 0
      const wait = async (): Promise<Answer> => {
        const headers = HEADERS.approver
        const answer = await call('GET', `/v1/approvals/${IDS.approval}?wait=3`, { headers })
        answered += 1
        return answer
      }
      const waiting: Promise<Answer>[] = []
      for (let at = 0; at < 10; at += 1) {
        waiting.push(wait())
        await expect.poll(() => looks).toBeGreaterThan(at)
      }
      const get = () => call('GET', persons, { headers: HEADERS.sponsor })
      await expect.poll(async () => (await get()).status).toBe(200)
      expect(answered).toBe(0)
      expect((await wait()).body['code']).toBe('rate_limited')
      const statuses = (await Promise.all(waiting)).map(({ status }) => status)
      expect(statuses.every((status) => status === 200)).toBe(true)
    })
  })
})

describe('a body that comes slowly', () => {
  it('takes up no place, and of one source there are only so many', async () => {
    const front = aFront({ limits: { ...LIMITS, concurrentMax: 1 } })
    await serving(front, async ({ call, port }) => {
      const sockets: Socket[] = []
      try {
        const headers = ['Content-Type: application/json', 'Content-Length: 10']
        for (let at = 0; at < 128; at += 1) {
          const socket = connect(port, '127.0.0.1')
          sockets.push(socket)
          socket.on('error', () => undefined)
          socket.write(head('POST /v1/explain', headers))
        }
        const agent = { headers: HEADERS.agent }
        await expect.poll(async () => (await call('GET', agentsOwn, agent)).status).toBe(200)
        const post = () => call('POST', '/v1/agents', { ...json, body: '{}' })
        await expect.poll(async () => (await post()).body['code']).toBe('rate_limited')
        for (const socket of sockets) socket.destroy()
        await expect.poll(async () => (await post()).body['code']).toBe('invalid_token')
      } finally {
        for (const socket of sockets) socket.destroy()
      }
    })
  })
})

const json = { headers: { 'content-type': 'application/json' } }
