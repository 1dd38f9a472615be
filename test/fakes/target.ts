/** A target that remembers what is alive in it, and can fail in every way that a real one does. */
import { type Connector, NoEffect, PartlyRevoked, Silent } from '../../src/delivery/connector.ts'
import { type Kind, kindOf } from '../../src/delivery/targets.ts'
import { Secret } from '../../src/domain/secret.ts'
import { z } from 'zod'

export type Fault =
  | 'refuses'
  | 'fails after it was made'
  | 'makes it longer'
  | 'hangs after it was made'
  | 'cannot be asked to revoke'
  | 'refuses to revoke'
  | 'still owns something'

export interface FakeTarget {
  readonly kind: Kind
  /** Names of what is alive. */
  readonly live: Set<string>
  /** Names that `revoke` was called with. */
  readonly revoked: string[]
  readonly faults: Set<Fault>
  made: number
}

export function aFakeTarget(): FakeTarget {
  const fake = {
    ...{ live: new Set<string>(), revoked: [] as string[], faults: new Set<Fault>(), made: 0 },
  }
  return Object.assign(fake, { kind: kindOf(connectorOf(fake)) })
}

function connectorOf(fake: Omit<FakeTarget, 'kind'>): Connector<object, object> {
  return {
    ...{ name: 'postgres', model: 'mint', revocation: 'immediate', spending: 'unseen' },
    ...{ senderConstraint: 'none', ttlSecondsMin: 1, isAtTarget: true },
    settings: z.looseObject({}),
    permissions: z.looseObject({}),
    audienceOf: () => null,
    async issue({ downstreamName, expiresAt }, _to, _permissions, signal) {
      const { faults, live } = fake
      if (faults.has('refuses')) throw new NoEffect('no')
      fake.made += 1
      live.add(downstreamName)
      if (faults.has('fails after it was made')) throw new Error('the connection broke')
      if (faults.has('hangs after it was made')) {
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('aborted'))
          })
        })
      }
      const longer = faults.has('makes it longer') ? 1 : 0
      return {
        kind: 'postgres',
        credential: { username: downstreamName, password: new Secret('made') },
        expiresAt: new Date(expiresAt.getTime() + longer),
      }
    },
    async revoke(downstreamName) {
      fake.revoked.push(downstreamName)
      if (fake.faults.has('cannot be asked to revoke')) throw new Silent('nobody answers')
      if (fake.faults.has('refuses to revoke')) throw new Error('The target answered 403')
      if (fake.faults.has('still owns something')) throw new PartlyRevoked('it owns something')
      return { found: fake.live.delete(downstreamName) }
    },
    listOwn: () => Promise.resolve([...fake.live]),
  }
}
