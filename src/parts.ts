/** Both sides of the house in one process, each handed what it asks for. */
import { createDeciding } from './deciding.ts'
import { createCountedBroker, createDelivering } from './delivering.ts'
import { baseFront, cdpFront, healthOf, pdpFront } from './front.ts'
import { createApp } from './http/app.ts'
import { createShownProofs } from './identity/shown-proof.ts'
import { createShared, type House } from './house.ts'
import type { CdpSlices, PdpSlices } from './slices.ts'

/** @throws Error when an issuer, a service or a target cannot be used as it is configured */
export async function createWhole(slices: PdpSlices & CdpSlices): Promise<House> {
  const { config, clock, pools } = slices
  const shared = createShared(slices)
  const checkProof = createShownProofs({ tenant: config.tenant, pool: pools.front, clock })
  const delivering = createDelivering(slices, shared, checkProof)
  const deciding = await createDeciding(slices, shared, () => {
    delivering.sweeper.poke()
  })
  const { decider, identity, pdp, signer } = deciding
  const broker = createCountedBroker(
    (...asked) => decider.decide(...asked),
    delivering,
    shared.metrics,
  )
  const front = {
    ...{ ...pdpFront(slices, deciding), ...cdpFront(broker, identity, delivering), identity },
    ...baseFront(slices, shared, (...it) => {
      deciding.refusals.count(...it)
    }),
  }
  const health = healthOf(slices, shared, {
    ...{ pool: pools.front, others: [pools.pdp, pools.cdp, pools.reaper] },
    ...{ isPolicyHealthy: () => pdp.isHealthy(), signedAt: () => signer.signedAt() },
    areKeysThere: async () => (await deciding.areKeysThere()) && (await delivering.areKeysThere()),
  })
  const app: House['app'] = (seen) => createApp({ ...front, ...seen })
  return { shared, health, app, halves: [deciding.half, delivering.half] }
}
