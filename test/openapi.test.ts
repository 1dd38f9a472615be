import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Express } from 'express'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { PROBLEMS } from '../src/domain/problems.ts'
import { createApp } from '../src/http/app.ts'
import { OAUTH_CODES } from '../src/http/oauth-codes.ts'
import { codesOf, filled, type Operation, operations, schemaOf } from './fakes/contract.ts'
import { aFront, HEADERS, serving } from './fakes/front.ts'
import { IDS } from './fakes/settled.ts'

const all = operations()

describe('openapi.yaml', () => {
  it('has every route that the app serves, and no other', () => {
    const told = all.map(({ method, path }) => `${method} ${path}`)
    expect(routesOf(createApp(aFront())).sort()).toEqual(told.sort())
    expect(told.length).toBeGreaterThan(35)
  })

  it('gives each code under the status that it has', () => {
    const misplaced = all.flatMap(({ method, path, responses }) =>
      [...responses].flatMap(([status, response]) =>
        codesOf(response)
          .filter((code) => !fits(code, status, path))
          .map((code) => `${method} ${path} ${status} ${code}`),
      ),
    )
    expect(misplaced).toEqual([])
  })

  it('has every code that there is somewhere, and none that there is not', () => {
    const told = new Set(all.flatMap(({ responses }) => [...responses.values()].flatMap(codesOf)))
    const known = [...Object.keys(PROBLEMS), ...Object.keys(OAUTH_CODES)]
    expect([...told].filter((code) => !known.includes(code))).toEqual([])
    expect(Object.keys(PROBLEMS).filter((code) => !told.has(code))).toEqual([])
  })

  it('says of every route who may call it', () => {
    for (const { security, responses } of all) {
      expect(responses.has('401')).toBe(security.length > 0)
    }
  })

  it('is valid, and its examples fit its schemas', async () => {
    const lint = ['node_modules/@redocly/cli/bin/cli.js', 'lint', 'openapi.yaml', '--format=json']
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
    const { stdout } = await promisify(execFile)(process.execPath, lint, { env })
    const { problems } = JSON.parse(stdout) as { problems: { message: string }[] }
    expect(problems.map(({ message }) => message)).toEqual([])
  }, 60_000)

  it('has examples that the routes take, and describes what they answer', async () => {
    for (const operation of all) {
      const { method, path, responses } = operation
      const answer = await serving(aFront(), ({ call }) =>
        call(method, pathFor(operation), requestFor(operation)),
      )
      const where = `${method} ${path}: ${answer.text}`
      expect(answer.status, where).toBeLessThan(300)
      const schema = schemaOf(responses.get(String(answer.status)), 'application/json')
      if (schema === undefined) continue
      const fitting = z.fromJSONSchema(schema)
      expect(fitting.safeParse(answer.body).error?.issues, where).toBeUndefined()
    }
  })
})

interface Layer {
  readonly handle: { readonly stack?: readonly Layer[] }
  readonly route?: { readonly path: string; readonly methods: Readonly<Record<string, boolean>> }
}

function routesOf(app: Express): string[] {
  const walk = ({ route, handle }: Layer): string[] => {
    if (route === undefined) return (handle.stack ?? []).flatMap(walk)
    const methods = Object.keys(route.methods).filter((it) => it !== '_all')
    return methods.map((it) => `${it.toUpperCase()} ${route.path.replace(/[:*]([a-z]+)/g, '{$1}')}`)
  }
  return (app.router.stack as unknown as Layer[]).flatMap(walk)
}

/** On /oauth/* statuses are OAuth's; `default` stands for what can happen anywhere. */
function fits(code: string, status: string, path: string): boolean {
  if (path.startsWith('/oauth/')) return code in PROBLEMS || code in OAUTH_CODES
  const row = Object.entries(PROBLEMS).find(([name]) => name === code)
  if (row === undefined) return false
  // A chain that cannot even be read: the same code, under the status of everything unreadable.
  if (code === 'chain_invalid' && status === '400') return true
  return status === 'default'
    ? [405, 414, 431, 500].includes(row[1][0])
    : status === String(row[1][0])
}

const PREFIXES: Readonly<Record<string, string>> = {
  ...{ agents: IDS.agent, consents: IDS.consent, credentials: IDS.credential },
  proxy: IDS.credential,
  ...{ approvals: IDS.approval, revocations: IDS.revocation, decisions: IDS.decision },
  ...{ chains: IDS.consent, delegations: IDS.decision.replace('dec_', 'dlg_') },
  problems: 'access_denied',
}

function pathFor({ path }: Operation): string {
  const [, first = '', second = ''] = path.split('/')
  const query = path.endsWith('/inclusion') ? '?index=1' : ''
  const between = path.endsWith('/consistency') ? '?from=1&to=3' : query
  return filled(path, PREFIXES[second] ?? PREFIXES[first] ?? '') + between
}

function requestFor({ security, request, path }: Operation): RequestInit {
  const headers = { accept: 'application/json', ...callerFor(security, path) }
  if (request === null) return { headers }
  const { media, example } = request
  if (media === 'application/json') {
    return { headers: { ...headers, 'content-type': media }, body: JSON.stringify(example) }
  }
  const form = new URLSearchParams(example as Record<string, string>)
  form.set('client_assertion', path === '/oauth/token' ? 'desk' : 'service-payments')
  return { headers: { ...headers, dpop: 'proof' }, body: form }
}

function callerFor(
  security: Operation['security'],
  path: string,
): Readonly<Record<string, string>> {
  const names = security.flatMap((it) => Object.keys(it))
  if (names.includes('service')) return HEADERS.service
  if (names.includes('session')) return HEADERS.agent
  if (!names.includes('person')) return {}
  if (path.startsWith('/v1/approvals')) return HEADERS.approver
  return path.startsWith('/v1/ledger') ? HEADERS.auditor : HEADERS.sponsor
}
