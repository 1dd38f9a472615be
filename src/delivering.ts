/** The delivering side, made from its slice: it redeems what was signed, and never decides. */
import { createBroker } from './broker.ts'
import { createCalls } from './delivery/calls.ts'
import { createCdp } from './delivery/cdp.ts'
import { createConnectors } from './delivery/connectors.ts'
import { createCredentials } from './delivery/credentials.ts'
import { createTokens } from './delivery/proxy/tokens.ts'
import { createVault } from './delivery/seal.ts'
import type { KeyStore } from './delivery/key-store.ts'
import type { CheckProof } from './delivery/spending.ts'
import { createExclusively } from './delivery/exclusively.ts'
import { createSweeper } from './delivery/sweep.ts'
import { togetherOf } from './delivery/target-limits.ts'
import { createTargets } from './delivery/targets.ts'
import { giveUpUnredeemed } from './delivery/unredeemed.ts'
import type { Broker, Decider } from './domain/ports.ts'
import type { Metrics } from './http/metrics.ts'
import { createLog } from './ledger/log.ts'
import { NOTHING_TO_SEAL } from './ledger/sealed.ts'
import type { CdpPools } from './pools.ts'
import type { Half, Shared } from './house.ts'
import { lookAt } from './key-renewal.ts'
import { refuseUnusable, sealStore } from './seal-store.ts'
import type { CdpSlices } from './slices.ts'
import { watchUsable } from './token.ts'

export type Delivering = ReturnType<typeof createDelivering>

/**
 * @param checkProof proofs that agents show to targets are used up where all proofs are
 * @throws Error when a target cannot be used as it is configured
 */
export function createDelivering(slices: CdpSlices, shared: Shared, checkProof: CheckProof) {
  const { config, issuer, keys, pools, clock, token } = slices
  const { metrics, report, line } = shared
  const { tenant, trust } = config
  const credentials = { issuer, keys: keys.credentials }
  const trouble = (error: unknown) => {
    report('the delivering side will try again', error)
  }
  const keyStore = sealStore(config, keys.seal, token?.using ?? null)
  const sideOf = (side: keyof CdpPools) => {
    const pool = pools[side]
    const secrets = createVault({ tenant, pool, keys: keyStore, looks: side === 'reaper' })
    const kinds = createConnectors({
      ...{ credentials, secrets, owner: issuer, clock },
      exclusively: createExclusively(pool),
    })
    // Nobody waits for the sweeper.
    const together = togetherOf(side === 'cdp' ? config.concurrentMax : Infinity, metrics)
    const targets = createTargets(kinds, trust.targets, together)
    return {
      ...{ tenant, pool, meter: metrics, trouble, targets, together, secrets },
      ledger: createLog({ tenant, pool, door: 'append_issued', sealer: NOTHING_TO_SEAL, line }),
    }
  }
  const areKeysThere = watchKeys(keyStore, keys, shared)
  const [cdpSide, reaping] = [sideOf('cdp'), sideOf('reaper')]
  const sweeper = createSweeper(reaping)
  const tokens = createTokens({
    ...{ tenant, pool: pools.cdp, keys: keyStore, credentials, clock },
    trouble: (error) => {
      report('a token that is kept', error)
    },
  })
  const half: Half = {
    chores: [
      {
        name: 'give up unredeemed decisions',
        everyMs: 5000,
        work: () => giveUpUnredeemed(reaping),
      },
    ],
    async begin() {
      await refuseUnusable(keyStore)
      sweeper.start()
      return async () => {
        await Promise.all([sweeper.stop(), tokens.settled()])
      }
    },
  }
  return {
    ...{ half, sweeper, ledger: cdpSide.ledger, areKeysThere },
    cdp: createCdp({ ...cdpSide, decisions: { issuer, keys: keys.decisions } }),
    credentials: createCredentials({ ...cdpSide, credentials, checkProof }),
    proxy: createCalls({ ...cdpSide, clock, tokens, targets: trust.targets, owner: issuer }),
  }
}

/** What opens the secrets of targets, and what signs. */
function watchKeys(keyStore: KeyStore, { credentials }: CdpSlices['keys'], { report }: Shared) {
  const look = async () => {
    await keyStore.current()
    await lookAt({ credentials })
  }
  return watchUsable(look, (error) => {
    report('a key of this side cannot be used', error)
  })
}

/** What is recorded may be worked on twice; what is handed out is counted once. */
export function createCountedBroker(
  decide: Decider['decide'],
  { cdp, ledger }: Delivering,
  metrics: Metrics,
): Broker {
  const broker = createBroker(decide, { cdp, ledger })
  return {
    async requestCredential(...asked) {
      const outcome = await broker.requestCredential(...asked)
      if (outcome.kind === 'issued' && outcome.credential !== null) {
        metrics.count('procura_credentials_issued_total', { connector: outcome.credential.kind })
      }
      return outcome
    },
  }
}
