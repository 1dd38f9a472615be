/** The routes of the protocol-true test server: status, shape and refusals as Vault's API documentation has them. */
import { createPublicKey, type JsonWebKey, verify } from 'node:crypto'
import { random, type State, type TokenRole } from './vault-state.ts'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly token: string | undefined
  readonly body: Readonly<Record<string, unknown>>
  readonly wrapSeconds: number
}
export interface Answered {
  readonly status: number
  readonly body?: object
}
export interface Engine {
  readonly path: string
  seconds: number
  /** What it answers without a lease, as a static secret is. */
  leaseless: boolean
  asked: Asked['body'][]
}
export interface Logins {
  readonly roleId: string
  readonly secretId: string
  readonly issuer: JsonWebKey
  readonly policies: readonly string[]
}

const no = (status: number, ...errors: string[]): Answered => ({ status, body: { errors } })
const ok = (body: object): Answered => ({
  status: 200,
  body: { request_id: random(), lease_id: '', lease_duration: 0, renewable: false, ...body },
})
const done: Answered = { status: 204 }

const CAPABILITY: Readonly<Record<string, string>> = {
  ...{ GET: 'read', LIST: 'list', DELETE: 'delete', POST: 'update' },
}
const SUDO = /^sys\/leases\/revoke-prefix\//

export function answer(state: State, engine: Engine, logins: Logins, asked: Asked): Answered {
  const { path, method, token } = asked
  state.expire()
  if (path === 'sys/wrapping/unwrap') return unwrap(state, token)
  if (/^auth\/(approle|jwt)\/login$/.test(path)) return login(state, logins, asked)
  const isAllowed = state.may(token, CAPABILITY[method] ?? 'none', path)
  const isSudo = !SUDO.test(path) || state.may(token, 'sudo', path)
  if (!isAllowed || !isSudo) return no(403, '1 error occurred:\n\t* permission denied\n\n')
  if (path === engine.path) return lend(state, engine, asked)
  if (path === 'sys/wrapping/wrap') {
    const wrapping = state.wrap(asked.body, asked.wrapSeconds)
    return ok({ wrap_info: { token: wrapping, ttl: asked.wrapSeconds, accessor: random() } })
  }
  return leases(state, asked) ?? tokens(state, asked) ?? no(404)
}

function lend(state: State, engine: Engine, { body, token }: Asked): Answered {
  engine.asked.push(body)
  if (engine.leaseless) return ok({ data: { value: 'static' } })
  const { lease_id, data } = state.lend(engine.path, token ?? '', engine.seconds)
  return ok({ lease_id, lease_duration: engine.seconds, renewable: true, data })
}

function leases(state: State, { path, body, method }: Asked): Answered | null {
  if (method !== 'POST' || !path.startsWith('sys/leases/')) return null
  const [, , act = '', ...rest] = path.split('/')
  const id = typeof body['lease_id'] === 'string' ? body['lease_id'] : rest.join('/')
  if (act === 'lookup') {
    return state.leases.has(id) ? ok({ data: { id, ttl: 60 } }) : no(400, 'invalid lease')
  }
  try {
    if (act === 'revoke-prefix') state.revokePrefix(id)
    else if (act === 'revoke') state.endLease(id)
    else return null
    return done
  } catch (error) {
    return no(500, `1 error occurred:\n\t* ${String(error)}\n\n`)
  }
}

function tokens(state: State, { path, method, body, token = '' }: Asked): Answered | null {
  const role = /^auth\/token\/roles\/([\w.-]+)$/.exec(path)?.[1]
  if (role !== undefined) return roles(state, method, role, body)
  if (path === 'auth/token/roles' && method === 'LIST') {
    return state.roles.size === 0 ? no(404) : ok({ data: { keys: [...state.roles.keys()] } })
  }
  if (path === 'auth/token/lookup-self') {
    return ok({ data: { renewable: state.tokens.get(token)?.renewable ?? false } })
  }
  if (path === 'auth/token/revoke-self') {
    state.endToken(token)
    return done
  }
  if (path === 'auth/token/renew-self') {
    const held = state.tokens.get(token)
    if (!held?.renewable) return no(400, 'lease is not renewable')
    state.tokens.set(token, { ...held, ends: performance.now() + 60_000 })
    return ok({ auth: { client_token: token, renewable: true } })
  }
  const against = /^auth\/token\/create\/([\w.-]+)$/.exec(path)?.[1]
  return against === undefined ? null : create(state, against, token, body)
}

function roles(state: State, method: string, name: string, body: Asked['body']): Answered {
  const held = state.roles.get(name)
  if (method === 'GET') return held ? ok({ data: { name, ...held } }) : no(404)
  if (method === 'DELETE') {
    state.roles.delete(name)
    return done
  }
  const suffix = body['path_suffix']
  if (typeof suffix === 'string' && !/\w[\w-.]+\w/.test(suffix)) {
    return no(400, 'given role path suffix contains invalid characters')
  }
  const nothing = { orphan: false, renewable: true, token_explicit_max_ttl: 0, path_suffix: '' }
  const given = Object.fromEntries(Object.entries(body).filter(([key]) => key in nothing))
  const list = body['allowed_policies']
  const allowed_policies =
    typeof list === 'string' ? list.split(',') : (held?.allowed_policies ?? [])
  const made = { ...nothing, ...held, ...given, allowed_policies } as TokenRole
  state.roles.set(name, made)
  return done
}

function create(state: State, name: string, caller: string, body: Asked['body']): Answered {
  const role = state.roles.get(name)
  if (role === undefined) return no(400, `unknown role ${name}`)
  const policies = body['policies'] as readonly string[]
  if (!policies.every((one) => role.allowed_policies.includes(one))) {
    return no(400, "token policies must be subset of the role's allowed policies")
  }
  const asked = Number.parseInt(String(body['ttl']), 10)
  const most = role.token_explicit_max_ttl
  const seconds = most === 0 ? asked : Math.min(asked, most)
  const suffix = role.path_suffix === '' ? '' : `/${role.path_suffix}`
  const token = state.create(
    {
      ...{ path: `auth/token/create/${name}${suffix}`, policies, renewable: role.renewable },
      ...{ displayName: `token-${String(body['display_name']).replace(/[^a-zA-Z0-9-]/g, '-')}` },
      meta: body['meta'] as Readonly<Record<string, string>>,
      parent: role.orphan ? null : caller,
    },
    seconds,
  )
  const auth = { client_token: token.id, policies, lease_duration: seconds, orphan: role.orphan }
  return ok({ auth: { ...auth, accessor: random(), renewable: role.renewable } })
}

function login(state: State, logins: Logins, { path, body }: Asked): Answered {
  const isRole = body['role_id'] === logins.roleId && body['secret_id'] === logins.secretId
  const isJwt = body['role'] === 'procura' && isSignedBy(logins.issuer, String(body['jwt']))
  const isOurs = path === 'auth/approle/login' ? isRole : isJwt
  if (!isOurs) return no(400, 'invalid role or secret ID')
  const of = { path, policies: logins.policies, displayName: 'login', meta: {}, renewable: true }
  const token = state.create({ ...of, parent: null }, 60)
  return ok({ auth: { client_token: token.id, lease_duration: 60, renewable: true } })
}

function isSignedBy(key: JsonWebKey, jwt: string): boolean {
  const [head, body, signature = ''] = jwt.split('.')
  const signed = Buffer.from(`${head ?? ''}.${body ?? ''}`)
  const by = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
  return verify('sha256', signed, by, Buffer.from(signature, 'base64url'))
}

function unwrap(state: State, token = ''): Answered {
  const held = state.wrapped.get(token)
  state.wrapped.delete(token)
  const isOver = held === undefined || held.ends <= performance.now()
  return isOver ? no(400, 'wrapping token is not valid or does not exist') : ok({ data: held.data })
}
