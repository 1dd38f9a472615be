import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import { isEnginePath } from '../../src/delivery/connectors/vault/settings.ts'
import { within } from '../../src/delivery/deadline.ts'
import { Secret } from '../../src/domain/secret.ts'
import { secretOf } from '../parts/vault.ts'
import { aTarget, issue, nothingIsLeft, orders, part, PATH, revoke, server } from './vault-bench.ts'

describe('what the token of a lease is', () => {
  it('has the name of the lease, the policies that are configured, and its time', async () => {
    const intent = orders()
    await issue(intent)
    const [token] = [...server.state.tokens.values()].filter(({ path }) => path.includes('cb_'))
    expect(token).toMatchObject({
      ...{ policies: ['procura-orders'], renewable: false, parent: null },
      displayName: `token-${intent.downstreamName.replace('_', '-')}`,
      meta: { lease: intent.downstreamName, decision: intent.decision },
    })
    expect((token?.ends ?? 0) - performance.now()).toBeLessThanOrEqual(60_000)
    await revoke(intent.downstreamName)
    nothingIsLeft()
  })

  it('is never said to live longer than what the engine made', async () => {
    server.engine.seconds = 5
    const intent = orders()
    const { expiresAt } = await issue(intent)
    expect(expiresAt.getTime()).toBe(intent.issuedAt.getTime() + 5000)
    await revoke(intent.downstreamName)
  })
})

describe('[DEL-16] what reaches Vault', () => {
  it.each([
    'sys/policies/acl/procura-orders',
    '../sys/policies',
    'database/creds/../../sys/policies',
    'database/creds/%2e%2e/sys',
    'database//creds',
    'database/creds/payroll',
    'auth/token/create',
  ])('is never the path %s', async (path) => {
    const before = server.calls.length
    await expect(issue(orders({ path }))).rejects.toThrow(NoEffect)
    expect(server.calls.length).toBe(before)
    if (!isEnginePath(path)) expect(() => aTarget({ paths: [path] })).toThrow('paths')
  })

  it('is a configured path, to the byte, whatever the data says', async () => {
    const text = fc.oneof(fc.string(), fc.constantFrom('../sys/seal', '%2e%2e/', '?a=b', '{{x}}'))
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        const intent = orders({ method: 'write', data: { role: value } })
        const before = server.calls.length
        await issue(intent)
        const asked = server.calls.slice(before).map(({ path }) => path)
        expect(asked.filter((path) => !path.startsWith('auth/token/'))).toEqual([PATH])
        expect(server.engine.asked.at(-1)).toEqual({ role: value })
        await revoke(intent.downstreamName)
      }),
      { numRuns: 25 },
    )
  })

  it('goes no way but one: no plain path reads as another', () => {
    fc.assert(
      fc.property(fc.webPath(), fc.string({ unit: 'binary' }), (web, any) => {
        for (const path of [web, any, `database/${web}`, `database/${any}`]) {
          if (!isEnginePath(path)) continue
          expect(new URL(`https://v/v1/${path}`).pathname).toBe(`/v1/${path}`)
          expect(path).not.toMatch(/^(sys|auth|identity|cubbyhole)\//)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('is the time of the lease, where the tool names a member for it', async () => {
    const intent = orders({ method: 'write', data: { role: 'x' }, ttl_field: 'ttl' })
    await issue(intent)
    expect(server.engine.asked.at(-1)).toEqual({ role: 'x', ttl: '60s' })
    await revoke(intent.downstreamName)
  })
})

describe('what is not handed out, and ended', () => {
  it.each([
    ['[F51] what lives longer than was decided', { seconds: 61 }],
    ['what has no lease, and could not be ended', { leaseless: true }],
  ])('is %s', async (_what, engine) => {
    Object.assign(server.engine, engine)
    const intent = orders()
    const error = await issue(intent).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(NoEffect)
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    nothingIsLeft()
  })
})

describe('how the broker logs in', () => {
  const issueTo = async (target: ReturnType<typeof aTarget>) => {
    const intent = orders()
    await issue(intent, target)
    return intent
  }

  it.each([
    ['an AppRole', () => ({ method: 'approle', role_id: server.logins.roleId })],
    ['a JWT', () => ({ method: 'jwt', role: 'procura' })],
  ])('with %s, which it ends, and what it made outlives that login', async (what, auth) => {
    const secret = new Secret(what === 'a JWT' ? await server.jwt() : server.logins.secretId)
    const target = aTarget({ auth: auth() }, { secret })
    const intent = orders()
    const sessions = () =>
      [...server.state.tokens.values()].filter(({ path }) => path.endsWith('/login'))
    const issued = await issue(intent, target)
    expect(sessions()).toEqual([])
    expect(await part.works(issued)).toBe(true)
    await revoke(intent.downstreamName, target)
    nothingIsLeft()

    server.faults.set('auth/token/revoke-self', 'silent')
    await revoke((await issueTo(target)).downstreamName, target)
    expect(sessions()).toHaveLength(2)
    for (const { id } of sessions()) server.state.endToken(id)
    server.faults.clear()

    const wrong = aTarget({ auth: auth() }, { secret: new Secret('a.b.c') })
    await expect(issue(orders(), wrong)).rejects.toThrow(NoEffect)
  })

  it('with a token, which it renews as it lists what is its own', async () => {
    const secret = new Secret(server.token(['procura-broker'], 10))
    const own = await within(3000, (signal) => aTarget({}, { secret }).listOwn(signal))
    expect(own).toEqual([])
    const { ends = 0 } = server.state.tokens.get(secret.reveal()) ?? {}
    expect(ends - performance.now()).toBeGreaterThan(30_000)
  })

  it('in its namespace, and in no other', async () => {
    const team = server.addNamespace('team-a')
    const secret = new Secret(team.create({ ...NOBODY, policies: ['procura-broker'] }, 60).id)
    for (const [name, rules] of server.state.policies) team.policies.set(name, rules)
    const target = aTarget({ namespace: 'team-a' }, { secret })
    const intent = orders()
    await issue(intent, target)
    expect([team.leases.size, server.state.leases.size]).toEqual([1, 0])
    await revoke(intent.downstreamName, target)
    expect(team.leases.size).toBe(0)
    await expect(issue(orders(), aTarget({}, { secret }))).rejects.toThrow(NoEffect)
  })

  const NOBODY = {
    ...{ path: 'auth/token/create', displayName: 'token', meta: {}, parent: null },
    renewable: true,
  }

  it('takes no token, namespace or prefix from the environment', async () => {
    const taken = ['VAULT_TOKEN', 'VAULT_NAMESPACE', 'VAULT_PREFIX', 'HTTP_PROXY', 'http_proxy']
    for (const name of taken) process.env[name] = 'http://127.0.0.1:1'
    try {
      const intent = orders()
      await issue(intent)
      await revoke(intent.downstreamName)
      nothingIsLeft()
    } finally {
      for (const name of taken) Reflect.deleteProperty(process.env, name)
    }
  })
})

describe('a wrapped answer', () => {
  it('is a token that opens once, and what it opens ends with the lease', async () => {
    const intent = orders({ wrap: true })
    const issued = await issue(intent)
    const token = secretOf(issued, 'wrapping_token')
    expect(Object.keys(issued.credential['data'] as object)).toEqual(['wrapping_token'])
    const unwrap = async () =>
      await fetch(`${server.address}/v1/sys/wrapping/unwrap`, {
        ...{ method: 'POST', headers: { 'X-Vault-Token': token } },
      })
    const { data } = (await (await unwrap()).json()) as { data: Record<string, string> }
    expect(server.state.logins.get(data['username'] ?? '')).toBe(data['password'])
    expect((await unwrap()).status).toBe(400)
    await revoke(intent.downstreamName)
    expect(server.state.logins.size).toBe(0)
  })
})

describe('the settings', () => {
  it.each([
    ['plain http that nobody allowed', { allow_http: false }, 'https'],
    ['an address with a path', { address: 'https://v.example/x' }, 'address'],
    ['an address with a password', { address: 'https://a:b@v.example' }, 'address'],
    ['no path', { paths: [] }, 'paths'],
    ['no policy', { policies: [] }, 'policies'],
    ['a way to log in that there is not', { auth: { method: 'userpass' } }, 'auth'],
    ['a mount that is a way out', { auth: { method: 'jwt', mount: '../x', role: 'r' } }, 'mount'],
  ])('are refused with %s', (_what, more, said) => {
    expect(() => aTarget(more)).toThrow(said)
  })
})

it('tells its own from those of another broker there', async () => {
  const [ours, theirs] = [orders(), orders()]
  const other = aTarget({}, { owner: 'another' })
  await issue(ours)
  await issue(theirs, other)
  const own = await within(3000, (signal) => aTarget().listOwn(signal))
  expect(own).toEqual([ours.downstreamName])
  expect(await revoke(theirs.downstreamName)).toEqual({ found: false })
  await revoke(ours.downstreamName)
  await revoke(theirs.downstreamName, other)
  nothingIsLeft()
})
