import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { NoEffect, Silent } from '../../src/delivery/connector.ts'
import { aTarget, issue, nothingIsLeft, orders, part, PATH, revoke, server } from './vault-bench.ts'

/** Fires when a call has been made that will not be answered. */
function untilItHangs(): AbortSignal {
  const late = new AbortController()
  server.hooks.hangs = () => {
    late.abort(new DOMException('late', 'TimeoutError'))
  }
  return late.signal
}

describe('a Vault that fails', () => {
  const [ROLES, CREATE] = ['auth/token/roles', 'auth/token/create']
  it.each([
    ['is sealed', 'sealed', ''],
    ['limits us', 'busy', ''],
    ['is a standby that does not forward: nobody follows it elsewhere', 'standby', ''],
    ['refuses a token', 'busy', CREATE],
    ['is sealed before it makes a token', 'sealed', CREATE],
  ] as const)('has provably made nothing when it %s', async (_what, fault, prefix) => {
    server.faults.set(prefix, fault)
    const intent = orders()
    const error = await aTarget()
      .issue(intent, untilItHangs())
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(NoEffect)
    nothingIsLeft()
  })

  it.each([
    ['answers with a page', 'nonsense', ROLES],
    ['has no answer', 'silent', ROLES],
    ['makes a role, and does not say so', 'acts and hangs', ROLES],
    ['makes a role, and a balancer says that it is overloaded', 'acts, 503', ROLES],
    ['makes a token, and a balancer says that it is overloaded', 'acts, 503', CREATE],
    ['refuses to make a login, for a token that it made', 'busy', PATH],
    ['is sealed between the token and the login', 'sealed', PATH],
  ] as const)('may have made something when it %s', async (_what, fault, prefix) => {
    server.faults.set(prefix, fault)
    const intent = orders()
    const error = await aTarget()
      .issue(intent, untilItHangs())
      .catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(NoEffect)
    server.faults.clear()
    await revoke(intent.downstreamName)
    nothingIsLeft()
  })

  it('may have a role left where it refuses a token and then does not take the role away', async () => {
    server.faults.set(CREATE, 'busy')
    server.hooks.before = ({ method }) => {
      if (method === 'DELETE') server.faults.set(ROLES, 'silent')
    }
    const error = await aTarget()
      .issue(orders(), untilItHangs())
      .catch((caught: unknown) => caught)
    server.hooks.before = () => undefined
    expect(error).not.toBeInstanceOf(NoEffect)
    expect(server.state.roles.size).toBe(1)
    server.state.roles.clear()
  })

  it('is silent where nobody answers, and not where it says no: the others need not wait for that', async () => {
    const gone = aTarget({ address: 'http://127.0.0.1:1' })
    await expect(revoke(orders().downstreamName, gone)).rejects.toThrow(Silent)
    for (const fault of ['sealed', 'busy', 'nonsense'] as const) {
      server.faults.set('', fault)
      const error = await revoke(orders().downstreamName).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(Error)
      expect(error).not.toBeInstanceOf(Silent)
    }
  })

  it('[F49] may have made a token when it does not say: found by name, and ended', async () => {
    server.faults.set(CREATE, 'acts and hangs')
    const intent = orders()
    const error = await aTarget()
      .issue(intent, untilItHangs())
      .catch((caught: unknown) => caught)
    expect(error).not.toBeInstanceOf(NoEffect)
    const ours = () => [...server.state.tokens.values()].filter(({ path }) => path.includes('cb_'))
    expect(ours()).toHaveLength(1)
    server.faults.clear()
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    expect(ours()).toEqual([])
    nothingIsLeft()
  })

  it('[F49] has made something when its answer is late: found by name, and ended', async () => {
    server.faults.set(PATH, 'acts and hangs')
    const intent = orders()
    const error = await aTarget()
      .issue(intent, untilItHangs())
      .catch((caught: unknown) => caught)
    expect(error).not.toBeInstanceOf(NoEffect)
    expect(server.state.logins.size).toBe(1)
    server.faults.clear()
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    nothingIsLeft()
  })

  it('has ended nothing until it says so, and is asked again', async () => {
    const intent = orders()
    const issued = await issue(intent)
    for (const fault of ['sealed', 'nonsense', 'standby', 'busy'] as const) {
      server.faults.set('', fault)
      await expect(revoke(intent.downstreamName), fault).rejects.toThrow()
    }
    server.faults.clear()
    expect(await part.works(issued)).toBe(true)
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    nothingIsLeft()
  })

  it('[REV-10] is not believed that a token is gone where its engine could not end the login', async () => {
    const intent = orders()
    const issued = await issue(intent)
    server.state.faults.engineCannotRevoke = true
    for (const _ of ['once', 'again']) {
      await expect(revoke(intent.downstreamName)).rejects.toThrow('Vault answered 500')
    }
    expect(await part.works(issued)).toBe(true)
    server.state.faults.engineCannotRevoke = false
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    expect(await part.works(issued)).toBe(false)
    nothingIsLeft()
  })

  it('gives no second token under a name that was ended while one was on its way', async () => {
    server.faults.set(PATH, 'silent')
    const intent = orders()
    const late = new AbortController()
    const before = server.calls.length
    const hanging = aTarget().issue(intent, late.signal)
    const stopped = expect(hanging).rejects.toThrow()
    while (
      !server.calls.slice(before).some(({ path, token }) => path === PATH && token !== undefined)
    ) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    await revoke(intent.downstreamName)
    late.abort()
    await stopped
    nothingIsLeft()
    expect([...server.state.tokens.values()].filter(({ path }) => path.includes('cb_'))).toEqual([])
  })

  it('ends a token that was made under the name just before the name was taken away', async () => {
    const intent = orders()
    await issue(intent)
    server.hooks.before = ({ method, path }) => {
      if (method !== 'DELETE') return
      const of = { displayName: 'late', meta: {}, parent: null, renewable: false }
      const role = path.replace('auth/token/roles/', '')
      server.state.create({ ...of, path: `auth/token/create/${role}`, policies: [] }, 60)
    }
    await revoke(intent.downstreamName)
    server.hooks.before = () => undefined
    expect([...server.state.tokens.values()].filter(({ path }) => path.includes('cb_'))).toEqual([])
    nothingIsLeft()
  })

  it('is not quoted', async () => {
    server.faults.set('', 'nonsense')
    for (const target of [aTarget(), aTarget({ address: 'http://127.0.0.1:1' })]) {
      const error = await issue(orders(), target).catch((caught: unknown) => caught)
      expect(inspect(error, { depth: 9 })).not.toMatch(/Welcome|hvs\.|127\.0\.0\.1/)
    }
  })
})
