/** More than can be done: one caller's flood is not another's outage. */
import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { expect } from 'vitest'
import { READING } from '../scenario/house.ts'
import { afterTheStart, ALIVE, expectNoSlower, made, meanwhileOf, paced } from './flood.ts'
import { twoBrokers, type World } from './house.ts'

/** Of a source; a fifth of it may be refused. */
const RATE = 200
const { line } = twoBrokers({
  isFlooded: true,
  env: {
    PROCURA_REQUESTS_PER_SECOND: String(RATE),
    PROCURA_LOG: 'error',
  },
})
const uncounted = { isCounted: false, timeout: 150_000 }
/** Ten seconds, and a turn of the event loop. */
const CLOSED_MS_MAX = 10_250

const portsOf = (w: World) => w.brokers.map(({ port }) => port)
const NO_ROOM = 'Too much is going on at once'

const inSeconds = (seconds: number) => ({ perSecond: 10, seconds })
/** Another sponsor's agent. */
const READER = { sponsor: 'ana', terms: READING } as const

line(
  '[DOS-05] slow connections are closed within ten seconds, and others do not notice',
  async (w) => {
    const st = await w.ST(w.agent)
    const ask = () => w.CR(w.agent, { st })
    await afterTheStart(w)
    async function besideSlowOnes() {
      const before = await paced(ask, inSeconds(3))
      const openedAt = performance.now()
      const closed: number[] = []
      const sockets = Array.from({ length: 500 }, () => {
        const socket: Socket = connect(portsOf(w)[0] ?? 0, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.once('close', () => closed.push(performance.now() - openedAt))
        socket.resume().write('GET /livez HTTP/1.1\r\nX')
        return socket
      })
      const meanwhile = await paced(ask, inSeconds(5))
      expect(meanwhile.statuses).toEqual(new Set(['201']))
      await expect.poll(() => closed.length, { timeout: 12_000 }).toBe(sockets.length)
      expect(Math.max(...closed)).toBeLessThan(CLOSED_MS_MAX)
      return { before, meanwhile }
    }
    await expectNoSlower(w, 2, besideSlowOnes)
  },
  uncounted,
)

line(
  '[DOS-08] bad signatures by the hundreds a second cost their sender, and nobody else',
  async (w) => {
    const st = await w.ST(w.agent)
    const ask = () => w.CR(w.agent, { st })
    const other = await w.anAgent()
    const bad = made(w, w.agent, await w.ST(w.agent), other.key)
    const flood = { ports: portsOf(w), perSecond: 400, seconds: 4, from: '127.0.0.2' }
    await afterTheStart(w)
    async function besideBadOnes() {
      const before = await meanwhileOf(ask, 10, { ...flood, requests: [ALIVE] })
      const meanwhile = await meanwhileOf(ask, 10, { ...flood, requests: [bad] })
      // Each broker looks at a fifth of the rate, and at what was saved up for two seconds.
      const looked = 2 * (RATE / 5) * (2 + meanwhile.seconds)
      expect(['401', '429', '503']).toEqual(expect.arrayContaining(Object.keys(meanwhile.flood)))
      expect(meanwhile.flood['429']).toBeGreaterThan(0)
      expect(meanwhile.flood['401']).toBeLessThan(looked)
      expect(meanwhile.statuses).toEqual(new Set(['201']))
      return { before, meanwhile }
    }
    await expectNoSlower(w, 3, besideBadOnes)
  },
  uncounted,
)

line(
  '[DOS-09] of more than there is room for, the rest is refused at once, and it goes on by itself',
  async (w) => {
    const agents = await Promise.all([{}, {}, READER, READER].map((wanted) => w.anAgent(wanted)))
    const sessions = await Promise.all(agents.map((agent) => w.ST(agent)))
    const requests = Array.from({ length: 200 }, (_, at) => {
      const n = at % agents.length
      return made(w, agents[n] ?? w.agent, sessions[n] ?? '')
    })
    const holder = new Client({ connectionString: w.database.url })
    await holder.connect()
    await holder.query('begin; lock table procura.used_proof in access exclusive mode')
    const startedAt = performance.now()
    const asked = requests.map(async ({ method, path, headers, body = '' }) => {
      const answer = await w.send({ method, path, headers: Object.entries(headers), body })
      return { answer, ms: performance.now() - startedAt }
    })
    const answers = await Promise.all(asked)
    await pause(Math.max(0, 10_000 - (performance.now() - startedAt)))
    await holder.end()
    for (const { answer, ms } of answers) {
      await w.refused(answer, { status: 503, code: 'unavailable' })
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/)
      expect(ms).toBeLessThan(9000)
    }
    // Who has no place after half a second; who has one waits for the database.
    const refused = answers.filter(({ answer }) => answer.body['detail'] === NO_ROOM)
    expect(refused.length).toBeGreaterThan(30)
    expect(Math.min(...refused.map(({ ms }) => ms))).toBeLessThan(2000)
    await expect.poll(async () => (await w.CR(w.agent)).status, { timeout: 5000 }).toBe(201)
  },
  uncounted,
)
