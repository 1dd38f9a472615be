/** Something is thrown where nobody expects it: in each of the layers that a request passes on its way. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { createServer } from '../../src/http/create-server.ts'
import type { Front } from '../../src/http/front.ts'
import { parseTrusted } from '../../src/domain/json.ts'
import { aFront, HEADERS, ISSUER, json, LIMITS } from '../fakes/front.ts'
import { PASSWORD } from '../fakes/front-parts.ts'

interface Layer {
  handle: RequestHandler & { readonly stack?: Layer[] }
  readonly route?: { readonly stack: Layer[] }
}

/** Every layer that does something itself, in the order of passing. */
function layersOf(stack: readonly Layer[]): Layer[] {
  return stack.flatMap((layer) => {
    const inner = layer.route?.stack ?? layer.handle.stack
    return inner === undefined ? [layer] : layersOf(inner)
  })
}

/** What handles errors takes four arguments, and is not on the way. */
const onTheWay = (app: Express) =>
  layersOf((app.router as unknown as { stack: Layer[] }).stack).filter(
    ({ handle }) => handle.length < 4,
  )

type Failing = (next: NextFunction) => unknown
const broken = () => new Error(`the secret is ${PASSWORD}`)
const WAYS: readonly (readonly [string, Failing])[] = [
  [
    'throws',
    () => {
      throw broken()
    },
  ],
  ['rejects', () => Promise.reject(broken())],
  [
    'hands on an error',
    (next) => {
      next(broken())
    },
  ],
]

const METHOD = 'POST'
const ASK = json(HEADERS.agent, { tool: 'sql.query', arguments: {} })

/** One app; which of its layers a valid request passes, and what a request is answered. */
async function serving<T>(
  front: Front,
  use: (app: { layers: Layer[]; ask: () => Promise<Told> }) => Promise<T>,
): Promise<T> {
  const app = createApp(front)
  const server = createServer(app, ISSUER, []).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1/credentials`
  const ask = async () => {
    const answer = await fetch(url, { method: METHOD, ...ASK })
    return { status: answer.status, text: await answer.text() }
  }
  try {
    return await use({ layers: onTheWay(app), ask })
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}
interface Told {
  readonly status: number
  readonly text: string
}

/** The numbers of the layers that are passed before the one that does what was asked for. */
async function passed(): Promise<number[]> {
  return await serving(aFront(), async ({ layers, ask }) => {
    const numbers: number[] = []
    for (const [number, layer] of layers.entries()) {
      const { handle } = layer
      layer.handle = (req: Request, res: Response, next: NextFunction) => {
        numbers.push(number)
        return handle(req, res, next)
      }
    }
    expect(await ask()).toMatchObject({ status: 201 })
    return numbers.slice(0, -1)
  })
}

describe('[F23] a layer of the front that', async () => {
  const numbers = await passed()

  it.each(WAYS)('%s ends the request there, tells nothing, and holds nothing', async (_, fail) => {
    expect(numbers.length).toBeGreaterThan(8)
    for (const number of numbers) {
      let asked = 0
      // Whoever kept a place would keep the only one.
      const front = aFront({ limits: { ...LIMITS, concurrentMax: 1 } })
      const { broker } = front
      const requestCredential: typeof broker.requestCredential = (...given) => {
        asked += 1
        return broker.requestCredential(...given)
      }
      const counted = { ...front, broker: { ...broker, requestCredential } }
      await serving(counted, async ({ layers, ask }) => {
        const layer = layers[number]
        if (layer === undefined) throw new RangeError('there is no such layer')
        const { handle } = layer
        layer.handle = (_req, _res, next) => {
          layer.handle = handle
          return fail(next)
        }
        const { status, text } = await ask()
        expect(status, `layer ${String(number)}: ${text}`).toBe(500)
        expect(text).not.toContain(PASSWORD)
        expect(text, 'a stack').not.toMatch(/node_modules|\.ts\b/)
        // Before a request is begun there is nothing to tell it by.
        if (number > 0) expect(parseTrusted(text)).toMatchObject({ code: 'internal_error' })
        expect(asked, `layer ${String(number)}`).toBe(0)
        for (let n = 0; n < 2; n += 1) expect(await ask()).toMatchObject({ status: 201 })
        expect(asked).toBe(2)
      })
      expect(JSON.stringify(front.lines)).not.toContain(PASSWORD)
    }
  })
})
