/**
 * A protocol-true test server for the vault connector, written from the public API documentation of Vault.
 * It is no Vault: what it cannot show is what the documentation does not say.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { signingKey, signToken } from '../../src/domain/jws.ts'
import { answer, type Answered, type Asked, type Engine } from './vault-routes.ts'
import { createState, type Policy, random } from './vault-state.ts'

export type Fault =
  | 'sealed'
  | 'standby'
  | 'busy'
  | 'nonsense'
  | 'silent'
  /** It does what was asked, and its answer never comes. */
  | 'acts and hangs'
  /** It does what was asked, and somebody in between says that there was nobody to do it. */
  | 'acts, 503'

export type VaultServer = Awaited<ReturnType<typeof aVaultServer>>

export async function aVaultServer(path: string, port = 0) {
  const root = `hvs.${random()}`
  const namespaces = new Map([['', createState(root)]])
  const stateOf = (name: string) => namespaces.get(name) ?? namespaces.get('')
  const engine: Engine = { path, seconds: 30, leaseless: false, asked: [] }
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = pair.publicKey.export({ format: 'jwk' })
  const logins = { roleId: random(), secretId: random(), issuer, policies: ['procura-broker'] }
  /** The fault that holds for calls of which the path begins so; `''` is all. */
  const faults = new Map<string, Fault>()
  const calls: Asked[] = []
  /** What somebody else does in the moment before a call, between its effect and its answer, or when none will come. */
  const hooks: { before: (asked: Asked) => void; done: () => void; hangs: () => void } = {
    ...{ before: () => undefined, done: () => undefined, hangs: () => undefined },
  }
  const waiting = new Set<ServerResponse>()
  const hang = (res: ServerResponse) => {
    waiting.add(res)
    hooks.hangs()
  }

  const server = createServer((req, res) => {
    text(req).then(
      (body) => {
        const { pathname, searchParams } = new URL(req.url ?? '', 'http://vault')
        const asked = {
          method: searchParams.has('list') ? 'LIST' : (req.method ?? ''),
          path: pathname.replace('/v1/', ''),
          token: req.headers['x-vault-token']?.toString(),
          body: (body === '' ? {} : JSON.parse(body)) as Asked['body'],
          wrapSeconds: Number(req.headers['x-vault-wrap-ttl'] ?? 0),
        }
        calls.push(asked)
        hooks.before(asked)
        const namespace = req.headers['x-vault-namespace']?.toString() ?? ''
        serve(asked, namespace, res)
      },
      () => res.destroy(),
    )
  })

  function serve(asked: Asked, namespace: string, res: ServerResponse): void {
    const [, fault] = [...faults].find(([prefix]) => asked.path.startsWith(prefix)) ?? []
    const state = stateOf(namespace)
    if (fault === 'silent' || state === undefined) {
      hang(res)
      return
    }
    const elsewhere = `http://127.0.0.1:1/v1/${asked.path}`
    if (fault === 'sealed') send(res, { status: 503, body: { errors: ['Vault is sealed'] } })
    else if (fault === 'busy') send(res, { status: 429, body: { errors: ['rate limit'] } })
    else if (fault === 'standby') res.writeHead(307, { location: elsewhere }).end()
    else if (fault === 'nonsense') res.writeHead(200).end('<html>Welcome</html>')
    else {
      const answered = answer(state, engine, logins, asked)
      hooks.done()
      if (fault === 'acts and hangs') hang(res)
      else if (fault === 'acts, 503') res.writeHead(503).end()
      else send(res, answered)
    }
  }

  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: at } = server.address() as AddressInfo
  const state = stateOf('') ?? createState(root)
  return {
    ...{
      address: `http://127.0.0.1:${String(at)}`,
      root,
      state,
      engine,
      logins,
      faults,
      calls,
      hooks,
    },
    addNamespace: (name: string) => {
      const made = createState(root)
      namespaces.set(name, made)
      return made
    },
    policy: (name: string, rules: Policy) => state.policies.set(name, rules),
    /** A token that somebody configured, with those policies. */
    token: (policies: readonly string[], seconds = 60) =>
      state.create(
        {
          ...{ path: 'auth/token/create', policies, displayName: 'token', meta: {}, parent: null },
          renewable: true,
        },
        seconds,
      ).id,
    jwt: () =>
      signToken(
        'credential',
        { sub: 'broker' },
        {
          issuer: 'https://issuer.example',
          keys: [signingKey({ kid: 'k', alg: 'ES256', ...pair })],
        },
      ),
    close: async () => {
      for (const res of waiting) res.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function send(res: ServerResponse, { status, body }: Answered): void {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  res.end(body && JSON.stringify(body))
}
