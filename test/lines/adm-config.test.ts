/** Addresses that the configuration must not name: refused as it is read, and again as they are used. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { fetchJwks } from '../../src/identity/fetch-jwks.ts'
import { createKeySource } from '../../src/identity/key-source.ts'
import { isOwnAddress, lookupElsewhere } from '../../src/identity/own-addresses.ts'
import { tree } from '../fakes/tree.ts'

const clock = () => new Date()

/** Must never be asked. */
async function aCanary() {
  let asked = 0
  const server = createServer((_req, res) => {
    asked += 1
    res.end('{"keys":[]}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  return { port: (server.address() as AddressInfo).port, asked: () => asked }
}

describe('the address of an issuer’s keys', () => {
  it.each([
    ...[
      '127.0.0.1',
      '127.1',
      '2130706433',
      '0x7f.0.0.1',
      '0.0.0.0',
      '169.254.169.254',
      '[::1]',
      '[::]',
    ],
    ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '[fe80::1]', '[ff02::1]'],
    ...['localhost', 'LOCALHOST', 'localhost.', 'idp.localhost'],
  ])('[ADM-10] is not %s, unless that is allowed', (host) => {
    const jwks_uri = `https://${host}/jwks`
    expect(() => createKeySource({ jwks_uri }, clock)).toThrow('allow_http')
    expect(() => createKeySource({ jwks_uri, allow_http: true }, clock)).not.toThrow()
    expect(() => createKeySource({ jwks_uri: 'https://idp.example/jwks' }, clock)).not.toThrow()
  })

  it.each(['file:///etc/passwd', 'ftp://idp.example/k', 'data:application/json,{}', 'idp.example'])(
    '[ADM-10] is not %s, whatever is allowed',
    (jwks_uri) => {
      const trust = {
        workloads: [{ kind: 'oidc', issuer: 'https://ci.example', jwks_uri, allow_http: true }],
      }
      const file = join(tree({ 'trust.yaml': JSON.stringify(trust) }), 'trust.yaml')
      expect(() => loadConfig({ PROCURA_TRUST: file })).toThrow(ConfigError)
    },
  )

  it('[ADM-10] is not a name that leads here when it is used, and nobody here is asked', async () => {
    const canary = await aCanary()
    const address = `http://localhost:${String(canary.port)}/jwks`
    const leading = (...to: string[]) =>
      lookupElsewhere((_name, _options, callback) => {
        callback(
          null,
          to.map((it) => ({ address: it, family: it.includes(':') ? 6 : 4 })),
        )
      })
    for (const to of [['127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['203.0.113.9', '127.0.0.1']]) {
      await expect(fetchJwks(address, leading(...to)), to.join()).rejects.toThrow(
        'leads to this machine',
      )
    }
    await expect(fetchJwks(address, leading())).rejects.toThrow('no address')
    expect(canary.asked()).toBe(0)
    expect(await fetchJwks(address.replace('localhost', '127.0.0.1'))).toEqual({ keys: [] })
    expect(canary.asked()).toBe(1)
  })

  it('[ADM-10] may be in a network of one’s own', () => {
    for (const address of [
      '10.1.2.3',
      '192.168.0.9',
      '203.0.113.9',
      '2001:db8::1',
      'fd00::1',
      '64:ff9b::a01:203',
    ]) {
      expect(isOwnAddress(address), address).toBe(false)
    }
    for (const address of ['127.0.0.53', '::1', '::ffff:169.254.169.254', 'not an address', '']) {
      expect(isOwnAddress(address), address).toBe(true)
    }
  })
})
