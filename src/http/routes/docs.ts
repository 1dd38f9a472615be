/** The contract to read, and a page for each code of a refusal. */
import { type Request, type Response, Router } from 'express'
import { parse } from 'yaml'
import { isObject, type Json } from '../../domain/json.ts'
import { BrokerError, PROBLEMS } from '../../domain/problems.ts'
import type { PdpFront } from '../front.ts'
import { madePage, sendMade, sendPage, text } from '../html.ts'
import { OAUTH_CODES } from '../oauth-codes.ts'
import { serve } from '../serve.ts'

export function docs(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const at = { router, front, door: 'public' } as const
  // Anybody may ask for them, as often as they like: neither is made anew for each.
  const contract = Buffer.from(front.contract)
  let contents: Buffer | null = null
  const yaml = (res: Response) => {
    res.set('Cache-Control', 'public, max-age=300').type('text/yaml').send(contract)
  }
  serve(at, '/docs', {
    get: (req, res) => {
      if (req.accepts(['text/yaml', 'text/html']) === 'text/html') {
        sendMade(res, (contents ??= contentsOf(front.contract)))
      } else yaml(res)
    },
  })
  serve(at, '/docs/openapi.yaml', {
    get: (_req, res) => {
      yaml(res)
    },
  })
  serve(at, '/problems/:code', { get: sendCode })
  return router
}

function contentsOf(contract: string): Buffer {
  const rows = operationsIn(parse(contract) as Json).map(
    ([method, path, summary]) =>
      `<tr><td>${text(method)} ${text(path)}</td><td>${text(summary)}</td></tr>`,
  )
  const link = '<p>All of it: <a href="/docs/openapi.yaml">openapi.yaml</a></p>'
  return madePage('Procura: what it serves', `${link}<table>${rows.join('')}</table>`)
}

function operationsIn(
  contract: Json,
): (readonly [method: string, path: string, summary: string])[] {
  const paths = isObject(contract) ? contract['paths'] : undefined
  return Object.entries(isObject(paths) ? paths : {}).flatMap(([path, item]) =>
    Object.entries(isObject(item) ? item : {}).flatMap(([method, operation]) =>
      isObject(operation) && typeof operation['summary'] === 'string'
        ? [[method.toUpperCase(), path, operation['summary']] as const]
        : [],
    ),
  )
}

/** What the code means and what would help, for a person or a program. */
function sendCode(req: Request, res: Response): void {
  const { code } = req.params
  if (typeof code !== 'string') throw new BrokerError('not_found')
  const { status, title, fix } = pageOf(code)
  if (req.accepts(['application/json', 'text/html']) === 'text/html') {
    const line = status === null ? '' : `<p>Status ${String(status)}</p>`
    sendPage(res, code, `<p>${text(title)}.</p><p>What helps: ${text(fix)}.</p>${line}`)
  } else {
    res.set('Cache-Control', 'public, max-age=300').json({ code, status, title, fix })
  }
}

function pageOf(code: string): { status: number | null; title: string; fix: string } {
  if (Object.hasOwn(PROBLEMS, code)) {
    const [status, title, , fix] = PROBLEMS[code as keyof typeof PROBLEMS]
    return { status, title, fix }
  }
  if (!Object.hasOwn(OAUTH_CODES, code)) throw new BrokerError('not_found')
  const [title, fix] = OAUTH_CODES[code as keyof typeof OAUTH_CODES]
  return { status: null, title, fix }
}
