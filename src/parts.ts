/** Every part, made from its slice of the configuration and handed what it asks for. */
import { createApprovals } from './approvals/approvals.ts'
import { createBroker, createDecider } from './broker.ts'
import { createBudgets } from './budgets/budgets.ts'
import type { Config } from './config.ts'
import { createConsents } from './consent/consents.ts'
import { createCdp } from './delivery/cdp.ts'
import { createConnectors } from './delivery/connectors.ts'
import { createCredentials } from './delivery/credentials.ts'
import { createVault } from './delivery/seal.ts'
import { createSweeper } from './delivery/sweep.ts'
import { createTargets } from './delivery/targets.ts'
import type { Clock } from './domain/clock.ts'
import { createFront } from './front.ts'
import type { Front, Log } from './http/front.ts'
import { createMetrics } from './http/metrics.ts'
import { createIdentity } from './identity/authenticate.ts'
import { createNonces } from './identity/nonce.ts'
import { createShownProofs } from './identity/shown-proof.ts'
import type { Keys } from './keys.ts'
import { vkeyOf } from './ledger/checkpoint.ts'
import { createLog, type LogOptions } from './ledger/log.ts'
import { createReader } from './ledger/reader.ts'
import { createRefusals } from './ledger/refusals.ts'
import { createSealer } from './ledger/sealed.ts'
import { createSigner } from './ledger/signer.ts'
import { createPdp } from './policy/pdp.ts'
import type { Pools, Side } from './pools.ts'
import { createRevocation } from './revocation/revocation.ts'

const CONSENT_DAYS_MAX = 90
const SIGN_IN_SECONDS_MAX = 8 * 3600
const OPEN_APPROVALS_MAX = 50

export interface Slices {
  readonly config: Config
  readonly issuer: string
  readonly keys: Keys
  readonly pools: Pools
  readonly log: Log
  readonly clock: Clock
  readonly contract: string
}

export type Parts = Awaited<ReturnType<typeof createParts>>

/** @throws Error when an issuer, a service or a target cannot be used as it is configured */
export async function createParts(slices: Slices) {
  const { config, issuer, keys, pools, log, clock } = slices
  const { tenant, trust } = config
  const sealer = createSealer(keys.seal)
  const ledgerOf = (side: Side, door: LogOptions['door']) =>
    createLog({ tenant, pool: pools[side], door, sealer })
  const ledgers = {
    front: ledgerOf('front', 'append_registered'),
    pdp: ledgerOf('pdp', 'append_decided'),
    cdp: ledgerOf('cdp', 'append_issued'),
    reaper: ledgerOf('reaper', 'append_issued'),
  }
  const ledgerKey = ledgerKeyOf(issuer, keys)
  const signing = (set: keyof Pick<Keys, 'decisions' | 'credentials' | 'evidence'>) => ({
    issuer,
    keys: keys[set],
  })
  const metrics = createMetrics([{ name: 'procura_up', help: 'This process runs', read: () => 1 }])
  const trouble = (error: unknown) => {
    log.error({ error: nameOf(error) }, 'the delivering side will try again')
  }

  // The deciding side.
  const pdp = await createPdp({
    ...{ tenant, pool: pools.pdp, ledger: ledgers.front, signer: signing('decisions') },
    report: (what, why) => {
      log.error({ error: nameOf(why) }, what)
    },
  })
  const budgets = createBudgets({ tenant, pool: pools.pdp })
  const front = { tenant, pools, ledger: ledgers.front, signer: signing('evidence') }
  const consents = createConsents({ ...front, ...pdp, ...budgets, daysMax: CONSENT_DAYS_MAX })
  const approvals = createApprovals({
    ...{ ...front, signInAgeMax: SIGN_IN_SECONDS_MAX, openMax: OPEN_APPROVALS_MAX },
  })
  const identity = createIdentity({
    ...{ tenant, issuer, pool: pools.front, ledger: ledgers.front, clock, ...trust },
    sessionKeys: keys.sessions,
    nonces: createNonces(keys.nonce, config.dpopNonce === 'required'),
    consentsOf: consents.ofAgent,
    openAccounts: budgets.openAccounts,
  })

  // The delivering side.
  const secrets = createVault({ tenant, pool: pools.cdp, key: keys.seal })
  const kinds = createConnectors({ credentials: signing('credentials'), secrets, owner: issuer })
  const targets = createTargets(kinds, trust.targets)
  const delivering = { tenant, targets, meter: metrics, trouble }
  const cdpSide = { ...delivering, pool: pools.cdp, ledger: ledgers.cdp }
  const cdp = createCdp({ ...cdpSide, decisions: signing('decisions') })
  const sweeper = createSweeper({ ...delivering, pool: pools.reaper, ledger: ledgers.reaper })
  const credentials = createCredentials({
    ...{ ...cdpSide, credentials: signing('credentials') },
    checkProof: createShownProofs({ tenant, pool: pools.front, clock }),
  })

  // What stands between them, and the story itself.
  const revocation = createRevocation({
    ...{ tenant, pool: pools.front, ledger: ledgers.front, cancelUnder: approvals.cancelUnder },
    onStopped: () => {
      sweeper.poke()
    },
  })
  const decider = createDecider({
    ...{ identity, consents, approvals, pdp, revocation, budgets, ledger: ledgers.pdp },
  })
  const broker = createBroker(decider.decide, { cdp, ledger: ledgers.cdp })

  const { origin } = ledgerKey
  const signer = createSigner({
    ...{ tenant, pool: pools.signer, origin, key: keys.ledger.privateKey },
    file: config.checkpointsFile,
  })
  const refusals = createRefusals({ ledger: ledgers.front, clock })
  const reader = createReader({ tenant, pool: pools.front, sealer })
  const { front: app, drain } = createFront(slices, {
    ...{ broker, decider, identity, consents, approvals, revocation, credentials },
    ...{ reader, refusals, metrics, pdp, ledgerKey },
  })
  return {
    ...{ front: app satisfies Front, drain, ledgers, ledgerKey, pdp, signer, sweeper, refusals },
    ...{ identity, approvals },
  }
}

/** The log's name is the issuer's host and port, and where it is served. */
function ledgerKeyOf(issuer: string, { ledger }: Keys) {
  const origin = `${new URL(issuer).host}/v1/ledger`
  return { origin, vkey: vkeyOf(origin, ledger.publicKey) }
}

const nameOf = (error: unknown) =>
  error instanceof Error ? `${error.name}: ${error.message}` : 'unknown'
