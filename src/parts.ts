/** Every part, made from its slice of the configuration and handed what it asks for. */
import { createApprovals } from './approvals/approvals.ts'
import { createBroker, createDecider } from './broker.ts'
import { createBudgets } from './budgets/budgets.ts'
import { createConsents } from './consent/consents.ts'
import { rootKeysIn } from './chain/keys.ts'
import { createDelegations } from './delegation/delegations.ts'
import { createChains } from './delegation/reading.ts'
import { createCdp } from './delivery/cdp.ts'
import { createConnectors } from './delivery/connectors.ts'
import { createCredentials } from './delivery/credentials.ts'
import { createVault } from './delivery/seal.ts'
import { createSweeper } from './delivery/sweep.ts'
import { createTargets } from './delivery/targets.ts'
import { giveUpUnredeemed } from './delivery/unredeemed.ts'
import { faultOf } from './fault.ts'
import { createFront } from './front.ts'
import { createMetrics } from './http/metrics.ts'
import { createRunning } from './http/running.ts'
import { createIdentity } from './identity/authenticate.ts'
import { createNonces } from './identity/nonce.ts'
import { createShownProofs } from './identity/shown-proof.ts'
import { vkeyOf } from './ledger/checkpoint.ts'
import { createLine } from './ledger/line.ts'
import { createLog, type LogOptions } from './ledger/log.ts'
import { pruneKeys } from './ledger/request-keys.ts'
import { createReader } from './ledger/reader.ts'
import { createRefusals } from './ledger/refusals.ts'
import { createSealer } from './ledger/sealed.ts'
import { createSigner } from './ledger/signer.ts'
import { createPdp } from './policy/pdp.ts'
import type { Pools, Side } from './pools.ts'
import type { Slices } from './slices.ts'
import { createRevocation } from './revocation/revocation.ts'
import { createTokenRevoker } from './revoking.ts'

const CONSENT_DAYS_MAX = 90
const SIGN_IN_SECONDS_MAX = 8 * 3600
const OPEN_APPROVALS_MAX = 50

export type Parts = Awaited<ReturnType<typeof createParts>>

/** @throws Error when an issuer, a service or a target cannot be used as it is configured */
export async function createParts(slices: Slices) {
  const shared = createShared(slices)
  const deciding = await createDeciding(slices, shared)
  const delivering = createDelivering(slices, shared)

  const { ledgers, metrics } = shared
  const { approvals, pdp } = deciding
  const revocation = createRevocation({
    ...{ tenant: slices.config.tenant, pool: slices.pools.front, ledger: ledgers.front },
    cancel: (tx, ids, act) => approvals.cancelAll(tx, ids, act),
    // Whatever rules are in force, or none: what was taken out of them may be held back as well.
    onStopped: () => {
      delivering.sweeper.poke()
    },
  })
  const counted: typeof pdp.rule = (recorded) => {
    const { answer, evaluator } = recorded.value.decision
    metrics.count('procura_decisions_total', { answer: answer.kind, evaluator })
    return pdp.rule(recorded)
  }
  const decider = createDecider({
    ...{ ...deciding, revocation, ledger: ledgers.pdp, pdp: { ...pdp, rule: counted } },
  })
  const { cdp } = delivering
  const uncounted = createBroker((...asked) => decider.decide(...asked), {
    ...{ cdp, ledger: ledgers.cdp },
  })
  // What is recorded may be worked on twice; what is handed out is counted once.
  const broker: typeof uncounted = {
    async requestCredential(...asked) {
      const outcome = await uncounted.requestCredential(...asked)
      if (outcome.kind === 'issued' && outcome.credential !== null) {
        metrics.count('procura_credentials_issued_total', { connector: outcome.credential.kind })
      }
      return outcome
    },
  }
  const { identity } = deciding
  const { credentials } = delivering
  const revokeShown = createTokenRevoker({
    ...{ identity, revocation, credentials, clock: slices.clock },
    roots: { issuer: slices.issuer, keys: slices.keys.roots },
  })
  const front = createFront(slices, {
    ...{ ...shared, ...deciding, ...delivering, broker, decider },
    revocation: { ...revocation, revokeShown },
  })
  return { ...shared, ...deciding, ...delivering, ...front }
}

type Shared = ReturnType<typeof createShared>

/** The ledger as each side writes it, its reader and signer, and what is counted. */
function createShared({ config, issuer, keys, pools, log, clock }: Slices) {
  const { tenant, checkpointsFile: file } = config
  const sealer = createSealer(keys.seal)
  const line = createLine()
  const ledgerOf = (side: Side, door: LogOptions['door']) =>
    createLog({ tenant, pool: pools[side], door, sealer, line })
  const ledgers = {
    front: ledgerOf('front', 'append_registered'),
    pdp: ledgerOf('pdp', 'append_decided'),
    cdp: ledgerOf('cdp', 'append_issued'),
    reaper: ledgerOf('reaper', 'append_issued'),
    prune: () => pruneKeys(pools.front, tenant),
  }
  const report = (what: string, why: unknown) => {
    log.error({ error: faultOf(why) }, what)
  }
  // The log's name is the issuer's host and port, and where it is served.
  const origin = `${new URL(issuer).host}/v1/ledger`
  const { privateKey: key, publicKey } = keys.ledger
  return {
    ...{ ledgers, sealer, ledgerKey: { origin, vkey: vkeyOf(origin, publicKey) } },
    signer: createSigner({ tenant, pool: pools.signer, origin, key, file, clock }),
    running: createRunning(),
    reader: createReader({ tenant, pool: pools.front, sealer }),
    refusals: createRefusals({ ledger: ledgers.front, clock, report }),
    metrics: createMetrics([{ name: 'procura_up', help: 'This process runs', read: () => 1 }]),
    report,
  }
}

async function createDeciding(slices: Slices, shared: Shared) {
  const { ledgers, sealer, metrics, report } = shared
  const { config, issuer, keys, pools, clock } = slices
  const { tenant } = config
  const pdp = await createPdp({
    ...{ tenant, pool: pools.pdp, ledger: ledgers.front, report, meter: metrics },
    evaluator: config.policyEvaluator,
    signer: { issuer, keys: keys.decisions },
  })
  const budgets = createBudgets({ tenant, pool: pools.pdp })
  const evidence = { issuer, keys: keys.evidence }
  const front = { tenant, pools, ledger: ledgers.front, signer: evidence }
  const consents = createConsents({ ...front, ...pdp, ...budgets, daysMax: CONSENT_DAYS_MAX })
  const approvals = createApprovals({
    ...{ ...front, signInAgeMax: SIGN_IN_SECONDS_MAX, openMax: OPEN_APPROVALS_MAX },
  })
  const delegations = createDelegations({
    ...{ tenant, issuer, pools, ledger: ledgers.front, secondsMax: config.rootSecondsMax },
    sealer,
    signer: { issuer, keys: keys.roots },
    isPurpose: (purpose) => pdp.isPurpose(purpose),
    mayDelegate: (hop, now) => pdp.mayDelegate(hop, now),
    balances: (account) => budgets.balances(account),
    openAccounts: (tx, account, bounds) => budgets.openAccounts(tx, account, bounds),
  })
  const chains = createChains({
    ...{ tenant, issuer, pool: pools.front, sealer, evidence },
    rootKeys: rootKeysIn(keys.roots),
    isPurpose: (purpose) => pdp.isPurpose(purpose),
    consentFor: (person, id) => consents.find(person, id),
    entryOf: (event) => shared.reader.entryOf(event),
  })
  const identity = createIdentity({
    ...{ tenant, issuer, pool: pools.front, ledger: ledgers.front, clock, ...config.trust },
    sessionKeys: keys.sessions,
    nonces: createNonces(keys.nonce, config.dpopNonce === 'required'),
    consentsOf: (agent) => consents.ofAgent(agent),
    chains: delegations,
    openAccounts: (tx, account, bounds) => budgets.openAccounts(tx, account, bounds),
  })
  return { pdp, budgets, consents, delegations, chains, approvals, identity }
}

function createDelivering(slices: Slices, { ledgers, metrics, report }: Shared) {
  const { config, issuer, keys, pools, clock } = slices
  const { tenant, trust } = config
  const credentials = { issuer, keys: keys.credentials }
  const targetsOf = (pool: Pools[Side]) => {
    const secrets = createVault({ tenant, pool, key: keys.seal })
    return createTargets(createConnectors({ credentials, secrets, owner: issuer }), trust.targets)
  }
  const trouble = (error: unknown) => {
    report('the delivering side will try again', error)
  }
  const common = { tenant, meter: metrics, trouble }
  const targets = targetsOf(pools.cdp)
  const cdpSide = { ...common, targets, pool: pools.cdp, ledger: ledgers.cdp }
  const checkProof = createShownProofs({ tenant, pool: pools.front, clock })
  const reaping = {
    ...{ ...common, targets: targetsOf(pools.reaper) },
    ...{ pool: pools.reaper, ledger: ledgers.reaper },
  }
  return {
    cdp: createCdp({ ...cdpSide, decisions: { issuer, keys: keys.decisions } }),
    credentials: createCredentials({ ...cdpSide, credentials, checkProof }),
    giveUpUnredeemed: () => giveUpUnredeemed(reaping),
    sweeper: createSweeper(reaping),
  }
}
