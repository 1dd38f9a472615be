/** A name is looked up once; what was looked at is what is connected to. */
import { describe, expect, it } from 'vitest'
import { send } from '../../src/delivery/proxy/call.ts'
import { pin, type Resolve } from '../../src/delivery/proxy/resolve.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { anUpstream } from './upstream.ts'

/** Says another thing each time it is asked. */
function rebinding(...answers: readonly (readonly string[])[]) {
  let asked = 0
  const resolve: Resolve = () => {
    const addresses = answers[asked] ?? []
    asked += 1
    return Promise.resolve(addresses.map((address) => ({ address })))
  }
  return { resolve, asked: () => asked }
}

async function refusal(hostname: string, addresses: readonly string[]): Promise<string> {
  try {
    await pin(hostname, ['10.1.0.0/16'], rebinding(addresses).resolve)
    return 'pinned'
  } catch (error) {
    return error instanceof BrokerError ? error.code : String(error)
  }
}

describe('a name', () => {
  it('[PRX-03] that comes to mean this machine after it was checked is not looked up again', async () => {
    const [target, canary] = [await anUpstream(), await anUpstream()]
    // Stands for a public address, as far as this test may reach.
    const dns = rebinding(['127.0.0.1'], ['127.0.0.2'])
    const pinned = await pin('rebind.example', ['127.0.0.1/32'], dns.resolve)
    expect(pinned).toEqual({ address: '127.0.0.1', name: 'rebind.example' })
    const base = new URL(`http://rebind.example:${String(target.port)}`)
    const headers = { host: base.host }
    const outgoing = {
      base,
      pinned,
      ca: undefined,
      method: 'GET',
      target: '/',
      headers,
      body: null,
    }
    const answer = await send(outgoing, { isSent: false }, AbortSignal.timeout(5000))
    answer.destroy()
    expect(target.seen.map(({ headers: { host } }) => host)).toEqual([base.host])
    expect([dns.asked(), canary.connections()]).toEqual([1, 0])
  })

  it.each([
    ['one public address', ['1.1.1.1'], 'pinned'],
    ['one that is meant', ['10.1.2.3'], 'pinned'],
    ['this machine', ['127.0.0.1'], 'target_denied'],
    ['a public address and this machine', ['1.1.1.1', '127.0.0.1'], 'target_denied'],
    ['this machine within another', ['::ffff:127.0.0.1'], 'target_denied'],
    ["the clouds' metadata", ['169.254.169.254'], 'target_denied'],
    ['another private address', ['10.2.0.1'], 'target_denied'],
    ['what is no address', ['one'], 'target_denied'],
    ['nothing', [], 'downstream_failed'],
  ])('with %s comes to: %s %s', async (_what, addresses, outcome) => {
    expect(await refusal('api.example', addresses)).toBe(outcome)
  })

  it('that nobody answers for is a failure, not a denial', async () => {
    const resolve: Resolve = () => Promise.reject(new Error('ENOTFOUND'))
    await expect(pin('api.example', [], resolve)).rejects.toMatchObject({
      code: 'downstream_failed',
    })
    const hanging: Resolve = () => new Promise(() => undefined)
    await expect(pin('api.example', [], hanging)).rejects.toMatchObject({
      code: 'downstream_timeout',
    })
  })
})
