import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { vault } from '../../src/delivery/connectors/vault.ts'
import { within } from '../../src/delivery/deadline.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import type { Intent } from '../../src/domain/lease.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { keepsItsPromises } from '../contract/connector.ts'
import { theGivenVault } from '../parts/vault-given.ts'
import { aTestServer, type VaultPart } from '../parts/vault.ts'
import { freshTarget } from '../pg/database.ts'
import { anIntent } from './bench.ts'

const { VAULT_ADDR: address, VAULT_TOKEN: token } = process.env
const isGiven = address !== undefined && token !== undefined

let part = {} as VaultPart
beforeAll(async () => {
  part = isGiven
    ? await theGivenVault({ address, token }, await freshTarget())
    : (await aTestServer()).part
  console.log(`the vault connector is tried against ${part.which}`)
})
afterAll(() => part.close())

function aSubject() {
  const secrets = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(part.secret) }
  const kinds = [kindOf(vault({ secrets, owner: 'contract' }))]
  const target = createTargets(kinds, { orders: part.settings }).get('orders')
  if (target === undefined) throw new Error('no target')
  const [path = ''] = part.settings['paths'] as string[]
  const intent = (of: Partial<Intent> = {}) =>
    anIntent({
      ...{ target: 'orders', connector: 'vault', senderConstraint: 'none' },
      permissions: { path, method: 'read', data: {}, wrap: false },
      ...of,
    })
  return { target, intent, works: part.works, exists: part.exists }
}

const where = isGiven ? 'the server at VAULT_ADDR' : 'the protocol-true test server'
describe(`the vault connector, at ${where}`, () => {
  keepsItsPromises(() => Promise.resolve(aSubject()))

  it('[REV-01] has the login gone and nothing left under the name, by the name alone', async () => {
    const { target, intent } = aSubject()
    const made = intent()
    const issued = await within(5000, (signal) => target.issue(made, signal))
    expect(await part.works(issued)).toBe(true)
    expect(await within(5000, (signal) => target.listOwn(signal))).toEqual([made.downstreamName])
    const ended = await within(5000, (signal) => target.revoke(made.downstreamName, signal))
    expect(ended).toEqual({ found: true })
    expect(await part.works(issued)).toBe(false)
    expect(await within(5000, (signal) => target.listOwn(signal))).toEqual([])
  })
})
