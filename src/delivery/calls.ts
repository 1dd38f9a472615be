/** Calls that the broker makes for agents, each as the connector of its lease has it. */
import type { Pool } from 'pg'
import type { ProvenInstance } from '../domain/instance.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import { createLive } from './proxy/live.ts'
import { liveLease } from './proxy/live-lease.ts'
import type { Answer, Called, Calling } from './proxy/making.ts'
import { createPlaces } from './proxy/places.ts'
import type { Declared } from './proxy/target.ts'
import type { Tokens } from './proxy/tokens.ts'
import { createProxy } from './proxying.ts'
import { createStatements } from './statements.ts'
import type { Together } from './target-limits.ts'

export interface Calls {
  /**
   * @throws BrokerError `not_found`, `credential_gone`, `target_denied`, `args_mismatch` and
   *   `unavailable`, after which nothing is spent; `downstream_failed`, `downstream_timeout`
   */
  call(instance: ProvenInstance, called: Called, act: Act): Promise<Answer>
}

export interface CallsOptions extends Calling {
  readonly pool: Pool
  readonly tokens: Tokens
  readonly targets: Declared
  /** What they share with those where something is made; without it, what they share alone. */
  readonly together?: Together
  /** The broker's own origin. */
  readonly owner: string
}

export function createCalls(options: CallsOptions): Calls {
  const places = createPlaces(options.targets, options.together)
  const shared = { ...options, live: createLive(options), places }
  const [proxy, statements] = [createProxy(shared), createStatements(shared)]
  return {
    async call(instance, called, act) {
      // Whose lease is it, and is it alive?
      const lease = await liveLease(options, instance, called.lease)
      switch (lease.intent.connector) {
        case 'http':
          return await proxy.call(lease, { instance, called, act })
        case 'postgres-exact':
          return await statements.call(lease, { instance, called, act })
        default:
          throw new BrokerError('not_found')
      }
    },
  }
}
