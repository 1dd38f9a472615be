/** The parts of a delivering process, for those of the tests and for processes that they kill. */
import type { Pool } from 'pg'
import { type Calls, createCalls } from '../../src/delivery/calls.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createExclusively } from '../../src/delivery/exclusively.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { NOTHING_TO_SEAL } from '../../src/ledger/sealed.ts'
import { aSigner, HOUSE, ISSUER } from '../delivery/bench.ts'
import { NO_TOKENS } from '../fakes/no-tokens.ts'

/** A target, as a trust file declares it, with what is sealed for it. */
export interface Guarded {
  readonly connector: string
  readonly settings: object
  readonly secret: string
}

/** By their names. */
export type AllGuarded = Readonly<Record<string, Guarded>>

export interface Pools {
  readonly cdp: Pool
  readonly reaper: Pool
}

/** What an agent sends below its lease. */
export interface Call {
  readonly method: string
  readonly path: string
  readonly body: string
}

export type Side = ReturnType<typeof aSide>

export function aSide({ cdp, reaper }: Pools, guarded: AllGuarded, owner = ISSUER) {
  const secrets = {
    use: <T>(name: string, work: (secret: Secret) => Promise<T>) =>
      work(new Secret(guarded[name]?.secret ?? '')),
  }
  const declared = Object.fromEntries(
    Object.entries(guarded).map(([name, { connector, settings }]) => [
      name,
      { ...settings, connector },
    ]),
  )
  const kinds = createConnectors({
    ...{ credentials: aSigner(), secrets, owner, clock: HOUSE.clock },
    exclusively: createExclusively(reaper),
  })
  const targets = createTargets(kinds, declared)
  const by = (pool: Pool) => {
    const ledger = createLog({
      ...{ tenant: 'main', pool, door: 'append_issued', sealer: NOTHING_TO_SEAL },
    })
    return { tenant: 'main', pool, targets, ledger }
  }
  const delivering = by(cdp)
  const calls = createCalls({
    ...{ ...delivering, secrets, targets: declared, tokens: NO_TOKENS },
    ...{ clock: HOUSE.clock, owner },
  })
  return { delivering, reaping: by(reaper), call: callerOf(calls) }
}

const NEVER = new AbortController().signal

/** By the run that the lease is of. */
const callerOf = (calls: Calls) => async (intent: Intent, call: Call) => {
  const { agent, instance, sponsor, consent, jkt, expiresAt, lease } = intent
  const session = {
    ...{ agent, instance, sponsor, consent, delegation: null, model: null, jti: 'ses-1' },
    ...{ tokenHash: 'hash', expiresAt, authority: { scopes: [], purpose: 'x', constraints: [] } },
  }
  const body = Buffer.from(call.body)
  const called = { ...call, body, lease, query: '', headers: {}, left: NEVER }
  return await calls.call(ProvenInstance.proven(session, jkt), called, bySystem('req-1'))
}
