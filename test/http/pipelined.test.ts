/** A request that comes before those ahead of it on its connection are answered. */
import { connect } from 'node:net'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { aFront, HEADERS, serving } from '../fakes/front.ts'
import { aLease } from '../fakes/front-readers.ts'
import { head } from '../fakes/raw.ts'
import { IDS } from '../fakes/settled.ts'

const agent = Object.entries(HEADERS.agent).map(([name, value]) => `${name}: ${value}`)
const WAIT = head(`GET /v1/credentials/${IDS.credential}?wait=30`, agent)
const ASK = JSON.stringify({ tool: 'sql.query', arguments: {} })
const POST =
  head('POST /v1/credentials', [
    ...agent,
    'Content-Type: application/json',
    `Content-Length: ${String(ASK.length)}`,
  ]) + ASK

/** A front that knows what it was told of answers that did not get out, and how often it looked. */
function watched() {
  const front = aFront()
  const seen = { undelivered: [] as string[], counted: 0, issued: 0, looks: 0 }
  return {
    seen,
    lines: front.lines as readonly { method?: string; status?: number }[],
    front: {
      ...front,
      meter: { count: () => void (seen.counted += 1) },
      broker: {
        requestCredential: async (...asked: Parameters<typeof front.broker.requestCredential>) => {
          const outcome = await front.broker.requestCredential(...asked)
          seen.issued += 1
          return outcome
        },
      },
      credentials: {
        ...front.credentials,
        read: () => {
          seen.looks += 1
          return Promise.resolve(aLease())
        },
        undelivered: (id: string) => {
          seen.undelivered.push(id)
          return Promise.resolve()
        },
      },
    },
  }
}

describe('a request that waits for another on its connection', () => {
  it('[DEL-23] is over when that breaks: its credential is known to be lost, it is logged and counted once', async () => {
    const { seen, lines, front } = watched()
    await serving(front, async ({ port }) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(WAIT + POST + POST)
      await expect.poll(() => seen.issued).toBe(2)
      expect(seen.undelivered).toEqual([])
      socket.destroy()
      await expect.poll(() => seen.undelivered).toEqual([IDS.credential, IDS.credential])
      await expect.poll(() => lines.length).toBe(3)
      expect(lines.map(({ status }) => status)).toEqual([499, 499, 499])
      expect(seen.counted).toBe(3)
    })
  })

  it('does not look any longer for who has left', async () => {
    const { seen, lines, front } = watched()
    await serving(front, async ({ port }) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(WAIT + WAIT)
      await expect.poll(() => seen.looks).toBeGreaterThanOrEqual(4)
      socket.destroy()
      const began = performance.now()
      await front.running.settled(10_000)
      expect(performance.now() - began).toBeLessThan(5000)
      expect(lines.map(({ status }) => status)).toEqual([499, 499])
    })
  })

  it('is answered in its turn where it holds, and then nothing is lost', async () => {
    const { seen, lines, front } = watched()
    await serving(front, async ({ port }) => {
      const socket = connect(port, '127.0.0.1')
      let received = ''
      socket.setEncoding('utf8').on('data', (text: string) => (received += text))
      socket.write(WAIT.replace('wait=30', 'wait=1') + POST)
      await expect
        .poll(() => received.match(/HTTP\/1\.1 \d+/g))
        .toEqual(['HTTP/1.1 200', 'HTTP/1.1 201'])
      socket.destroy()
      await expect.poll(() => lines.length).toBe(2)
      expect(lines.map(({ status }) => status)).toEqual([200, 201])
      expect(seen.undelivered).toEqual([])
    })
  })

  it('is closed as one that is being answered: once, and for good', async () => {
    await serving(aFront(), async ({ port, server }) => {
      const responses: ServerResponse[] = []
      const closed: ServerResponse[] = []
      server.prependListener('request', (_req, res: ServerResponse) => {
        responses.push(res)
        res.on('close', () => closed.push(res))
      })
      const socket = connect(port, '127.0.0.1')
      socket.write(WAIT + WAIT + WAIT)
      await expect.poll(() => responses.length).toBe(3)
      socket.destroy()
      await expect.poll(() => closed.length).toBe(3)
      for (const { closed, destroyed, writableFinished } of responses) {
        expect({ closed, destroyed, writableFinished }).toEqual({
          ...{ closed: true, destroyed: true, writableFinished: false },
        })
      }
      await expect.poll(() => responses.every(({ writableEnded }) => writableEnded)).toBe(true)
      expect(new Set(closed)).toEqual(new Set(responses))
      expect(closed).toHaveLength(3)
    })
  })
})
