/** What the HTTP front is handed: the parts, under the names that it knows them by. */
import type { Deciding } from './deciding.ts'
import type { Delivering } from './delivering.ts'
import type { JsonObject } from './domain/json.ts'
import type { PublicKeySet } from './domain/jws.ts'
import type { Broker } from './domain/ports.ts'
import { createHealth, type HealthOptions } from './health.ts'
import type { BaseFront, CdpFront, Front, PdpFront, Warning } from './http/front.ts'
import { publicJwks } from './keys.ts'
import { createDecisionReader } from './ledger/decision-reader.ts'
import type { LedgerReader } from './ledger/reader.ts'
import { lacksFixes } from './node-version.ts'
import type { Shared } from './house.ts'
import type { PdpSlices, Slices } from './slices.ts'

const VERSION = '0.1.0'
const SECURITY_TXT_MS = 180 * 86_400_000

/** What both sides bring, and health and metrics, which whoever serves it adds. */
type Alone = Omit<BaseFront, 'identity' | 'health' | 'metrics'>
type Without<F extends BaseFront> = Omit<F, keyof Alone | 'health' | 'metrics'>

export function baseFront(
  { config, issuer, log }: Slices,
  { metrics, running }: Shared,
  refused: BaseFront['refused'],
): Alone {
  return { ...{ issuer, log, running, refused, meter: metrics }, limits: limitsOf(config) }
}

export function cdpFront(
  broker: Broker,
  identity: CdpFront['identity'],
  { credentials, proxy }: Delivering,
): Without<CdpFront> {
  return { broker, identity, credentials, proxy }
}

export function pdpFront(slices: PdpSlices, parts: Deciding): Without<PdpFront> {
  const { config, issuer, keys, pools, clock, contract } = slices
  const { identity, consents, delegations, chains, approvals, revocation, decider, reader } = parts
  const { tenant } = config
  return {
    ...{ identity, consents, delegations, chains, approvals, revocation, contract },
    agents: identity.agents,
    introspect: (...asked) => parts.introspect(...asked),
    decider: { ...decider, standing: (...asked) => consents.standing(...asked) },
    decisions: createDecisionReader({ tenant, pool: pools.front, reader }),
    ledger: ledgerOf(reader),
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
  }
}

/** @param more what else does not keep it from working, and should be mended */
export function healthOf(
  { config, clock }: Slices,
  { isDraining }: Shared,
  own: Omit<HealthOptions, 'tenant' | 'clock' | 'isDraining' | 'warnings'>,
  more: () => readonly Warning[] = () => [],
): BaseFront['health'] {
  const known: Warning[] = lacksFixes(process.versions.node) === null ? [] : ['runtime']
  const warnings = () => [...known, ...more()]
  return createHealth({ ...{ tenant: config.tenant, clock, isDraining, warnings }, ...own })
}

/** What is not set follows from what one source may do. */
export function limitsOf(config: Slices['config']): Front['limits'] {
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

const jwksOf = (set: PublicKeySet) => publicJwks(set)['keys'] as JsonObject[]
