/**
 * A delivering process, which stands still at the step that it is told of, so that it can be killed there:
 * it redeems, mints, activates, records and calls for several leases at once, and sweeps when told to.
 */
import { createCdp } from '../../src/delivery/cdp.ts'
import { downstreamName } from '../../src/delivery/claims.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import type { Target } from '../../src/delivery/targets.ts'
import { createPool } from '../../src/db/connect.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { Secret } from '../../src/domain/secret.ts'
import { aCollector, aDecision, aSigner } from '../delivery/bench.ts'
import { type AllGuarded, aSide, type Call, type Side } from './side.ts'

/** Points of hammer/places.ts, but for those that are seen on the way to a target. */
export type Step = 'FP4' | 'FP5' | 'FP7' | 'FP8' | 'FP11' | 'FP13' | 'FP14'

export interface Order {
  readonly url: string
  readonly guarded: AllGuarded
  readonly lanes: readonly Lane[]
  /** `null`: at none, somebody else holds it up. */
  readonly standAt: Step | null
}

export interface Lane {
  readonly lease: string
  /** What its decision says. */
  readonly claims: JsonObject
  /** Made when it has been issued. */
  readonly call: Call | null
}

export type Said =
  | { readonly ready: true }
  | { readonly stands: string; readonly shown: Readonly<Record<string, string>> | null }
  /** It got past all steps. */
  | { readonly passed: string }
  | { readonly failed: string }

process.on('message', (order: Order | 'sweep') => {
  const work = order === 'sweep' ? sweep() : take(order)
  work.catch((error: unknown) => {
    say({ failed: String(error) })
  })
})
let sweep: () => Promise<void> = () => Promise.resolve()

const say = (said: Said) => process.send?.(said)
say({ ready: true })

async function take({ url, guarded, lanes, standAt }: Order): Promise<void> {
  const open = (role: 'procura_cdp' | 'procura_reaper') => createPool({ url, role, max: 4 })
  const pools = { cdp: open('procura_cdp'), reaper: open('procura_reaper') }
  const side = aSide(pools, guarded)
  const leases = new Map(lanes.map(({ lease }) => [downstreamName(lease), lease]))

  const shown = new Map<string, Issued>()
  /** Whoever gets there stays there. */
  async function stand(at: Step, name: string, made?: Issued): Promise<void> {
    const lease = leases.get(name)
    if (lease !== undefined && made !== undefined) shown.set(lease, made)
    if (at !== standAt || lease === undefined) return
    const known = shown.get(lease)
    say({ stands: lease, shown: known === undefined ? null : revealed(known) })
    await new Promise(() => undefined)
  }

  const ending = ([name, target]: readonly [string, Target]): readonly [string, Target] => [
    name,
    {
      ...target,
      async revoke(of, signal, endsAt) {
        await stand('FP11', of)
        const revoked = await target.revoke(of, signal, endsAt)
        await stand('FP13', of)
        return revoked
      },
    },
  ]
  const targets = new Map([...side.reaping.targets].map(ending))
  const trouble = (error: unknown) => say({ failed: String(error) })
  const sweeper = createSweeper({ ...side.reaping, targets, trouble })
  sweep = async () => {
    await sweeper.sweepOnce()
    await Promise.all([...leases.keys()].map((name) => stand('FP14', name)))
  }
  await deliverAll(side, lanes, stand)
}

type Stand = (at: Step, name: string, made?: Issued) => Promise<void>

async function deliverAll(
  { delivering, call: makeCall }: Side,
  lanes: readonly Lane[],
  stand: Stand,
): Promise<void> {
  const [decisions, { jkt, presented }] = [aSigner(), aCollector()]
  const { ledger } = delivering
  const cdp = createCdp({ ...delivering, decisions })

  async function deliver({ lease, claims, call }: Lane): Promise<void> {
    const signed = await aDecision(decisions, jkt, claims)
    await stand('FP4', downstreamName(lease))
    const intent = await cdp.redeem(signed, presented)
    await stand('FP5', intent.downstreamName)
    const made = await cdp.mint(intent)
    await stand('FP7', intent.downstreamName, made)
    await ledger.record(null, async (tx) => {
      const value = await cdp.activate(tx, intent, made)
      return { entries: [cdp.issuance(intent, made, presented)], value, answer: null }
    })
    await stand('FP8', intent.downstreamName, made)
    if (call !== null) await makeCall(intent, call)
    say({ passed: lease })
  }
  await Promise.all(lanes.map(deliver))
}

/** For the test alone, which tries it afterwards. */
function revealed({ credential }: Issued): Record<string, string> {
  const { data = {}, ...plain } = credential
  const all = { ...plain, ...(typeof data === 'object' ? data : {}) }
  const texts = Object.entries(all).map(([name, value]) => {
    const text = value instanceof Secret ? value.reveal() : value
    return [name, typeof text === 'string' ? text : '']
  })
  return Object.fromEntries(texts) as Record<string, string>
}
