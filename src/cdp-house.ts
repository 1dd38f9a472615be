/** The delivering process. It cannot sign a decision, a session or the log, and reads no policy. */
import { createCountedBroker, createDelivering } from './delivering.ts'
import { baseFront, cdpFront, healthOf } from './front.ts'
import { createCdpApp } from './http/app.ts'
import { createAskedIdentity } from './identity/asked.ts'
import { type Asking, createAsking } from './peer/asking.ts'
import { createTellingRefusals } from './peer/refusals.ts'
import { createShared, type Half, type House } from './house.ts'
import type { CdpSlices } from './slices.ts'

const PEER_LOOK_MS = 2000

/** @throws Error when a target cannot be used as it is configured */
export function createCdpHouse(slices: CdpSlices): House {
  const { config, pools } = slices
  const { peer } = config
  if (peer?.role !== 'cdp') throw new TypeError('the delivering process needs to know whom to ask')
  const shared = createShared(slices)
  const { metrics } = shared
  const asking = createAsking({
    ...{ url: peer.url, tls: peer, meter: metrics, socketsMax: 2 * config.concurrentMax },
  })
  const refusals = createTellingRefusals({ ...asking, report: shared.report })
  const delivering = createDelivering(slices, shared, (shown) => asking.checkProof(shown))
  const broker = createCountedBroker((presented) => asking.decide(presented), delivering, metrics)
  const front = {
    ...cdpFront(broker, createAskedIdentity(asking), delivering),
    ...baseFront(slices, shared, (...it) => {
      refusals.count(...it)
    }),
  }
  const health = healthOf(slices, shared, {
    ...{ pool: pools.cdp, trial: TRIAL, others: [pools.reaper] },
    areKeysThere: () => delivering.areKeysThere(),
    isPeerReady: () =>
      asking.ready().then(
        ({ failing }) => failing === null,
        () => false,
      ),
  })
  const line = lineHalf(asking, () => refusals.flush())
  const app: House['app'] = (seen) => createCdpApp({ ...front, ...seen })
  return { shared, health, app, halves: [line, delivering.half] }
}

/** What the delivering role may write in a transaction that is undone. */
const TRIAL = `insert into procura.request_key (tenant, caller, route, key, fingerprint, answer)
  values ($1, 'readiness', '', '', '', '{}')`

/** Keeps the line open, and what was last heard of it (the nonce) fresh. */
function lineHalf(asking: Asking, flush: () => Promise<void>): Half {
  return {
    chores: [
      { name: 'look for the deciding process', everyMs: PEER_LOOK_MS, work: () => asking.ready() },
      { name: 'tell of refusals', everyMs: 10_000, work: flush },
    ],
    async begin() {
      // Whichever starts first: until the other is there, this one says that it is not ready.
      await asking.ready().catch(() => undefined)
      return async () => {
        await flush().catch(() => undefined)
        asking.end()
      }
    },
  }
}
