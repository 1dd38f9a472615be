/** What the HTTP front is handed: the parts, under the names that it knows them by. */
import type { JsonObject } from './domain/json.ts'
import type { KeySet } from './domain/jws.ts'
import type { Broker, Decider } from './domain/ports.ts'
import { createHealth } from './health.ts'
import type { Front, FrontIdentity } from './http/front.ts'
import type { Metrics } from './http/metrics.ts'
import type { Running } from './http/running.ts'
import { publicJwks } from './keys.ts'
import { createDecisionReader } from './ledger/decision-reader.ts'
import type { LedgerReader } from './ledger/reader.ts'
import type { Refusals } from './ledger/refusals.ts'
import type { CheckpointSigner } from './ledger/signer.ts'
import { lacksFixes } from './node-version.ts'
import type { Slices } from './slices.ts'

const VERSION = '0.1.0'
const SECURITY_TXT_MS = 180 * 86_400_000

export interface Fronted extends Pick<
  Front,
  'delegations' | 'chains' | 'approvals' | 'revocation' | 'credentials'
> {
  readonly broker: Broker
  readonly decider: Pick<Decider, 'explain' | 'evaluate'>
  readonly identity: FrontIdentity & { readonly agents: Front['agents'] }
  readonly consents: Front['consents'] & Pick<Front['decider'], 'standing'>
  readonly reader: LedgerReader
  readonly signer: Pick<CheckpointSigner, 'signedAt'>
  readonly running: Running
  readonly refusals: Refusals
  readonly metrics: Metrics
  readonly pdp: { isHealthy(): boolean }
  readonly ledgerKey: { readonly origin: string; readonly vkey: string }
}

/** `drain`: from now on it is not ready. Its metrics are this process' own. */
export interface Made {
  readonly front: Omit<Front, 'metrics'> & { metrics(): string }
  readonly drain: () => void
}

export function createFront(slices: Slices, parts: Fronted): Made {
  const { config, issuer, keys, pools, log, clock, contract } = slices
  const { broker, decider, identity, consents, approvals, revocation, credentials } = parts
  const { tenant } = config
  let isDraining = false
  const decisions = createDecisionReader({ tenant, pool: pools.front, reader: parts.reader })
  const front: Made['front'] = {
    ...{
      issuer,
      broker,
      identity,
      consents,
      delegations: parts.delegations,
      chains: parts.chains,
      approvals,
      revocation,
      credentials,
      decisions,
    },
    ...{ log, contract, meter: parts.metrics, running: parts.running },
    decider: { ...decider, standing: consents.standing },
    agents: identity.agents,
    ledger: ledgerOf(parts.reader),
    metadata: {
      version: VERSION,
      dpopNonce: config.dpopNonce,
      rootSecondsMax: config.rootSecondsMax,
      securityTxt: () => securityTxt(config.securityContact, issuer, clock()),
      ledger: parts.ledgerKey,
      jwks: {
        sessions: () => jwksOf(keys.sessions),
        roots: () => jwksOf(keys.roots),
        decisions: () => jwksOf(keys.decisions),
        credentials: () => jwksOf(keys.credentials),
        evidence: () => jwksOf(keys.evidence),
      },
    },
    health: createHealth({
      ...{ tenant, clock, pool: pools.front, others: [pools.pdp, pools.cdp, pools.reaper] },
      signedAt: () => parts.signer.signedAt(),
      isPolicyHealthy: () => parts.pdp.isHealthy(),
      isDraining: () => isDraining,
      warnings: lacksFixes(process.versions.node) === null ? [] : ['runtime'],
    }),
    metrics: () => parts.metrics.exposition(),
    refused(face, code, caller) {
      parts.refusals.count(face, code, caller)
    },
    limits: limitsOf(config),
  }
  return {
    front,
    drain: () => {
      isDraining = true
    },
  }
}

/** What is not set follows from what one source may do. */
function limitsOf(config: Slices['config']): Front['limits'] {
  const { requestsPerSecond, concurrentMax, proxies } = config
  return {
    ...{ requestsPerSecond, concurrentMax, proxies },
    callerPerSecond: config.callerPerSecond ?? requestsPerSecond / 5,
    sponsorPerSecond: config.sponsorPerSecond ?? (requestsPerSecond * 2) / 5,
    tenantPerSecond: config.tenantPerSecond ?? requestsPerSecond * 4,
  }
}

/** The wire says `null` where the log's reader leaves out. */
function ledgerOf(reader: LedgerReader): Front['ledger'] {
  return {
    entries: (_person, { eventType, subject, ...range }) =>
      reader.entries({
        ...range,
        eventType: eventType ?? undefined,
        subject: subject ?? undefined,
      }),
    checkpoint: () => reader.checkpoint(),
    inclusion: ({ leaf, size }) => reader.inclusion(leaf, size ?? undefined),
    consistency: (from, to) => reader.consistency(from, to),
  }
}

/** Good for half a year from when it is read: whoever keeps it longer asks again. */
function securityTxt(contact: string | null, issuer: string, now: Date): string | null {
  if (contact === null) return null
  const expires = new Date(now.getTime() + SECURITY_TXT_MS).toISOString()
  const canonical = `${issuer}/.well-known/security.txt`
  return `Contact: ${contact}\nExpires: ${expires}\nCanonical: ${canonical}\n`
}

const jwksOf = (set: KeySet) => publicJwks(set)['keys'] as JsonObject[]
