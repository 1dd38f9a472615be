/** Chains as an auditor reads them: who consented, through whom it went on, what each hop gave up. */
import type { Consent } from '../domain/consent.ts'
import type { ConsentId, EventId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import { bodyOf } from './reading-body.ts'
import {
  checkAt,
  checkEvidence,
  type ChecksOptions,
  checkStanding,
  checkTokens,
  leftAt,
  type Verification,
} from './reading-checks.ts'
import { doneUnder } from './reading-counts.ts'
import type { Found, ReadConsent, ReadEntry } from './reading-found.ts'
import {
  approvalOf,
  type HopRow,
  hopsBelow,
  hopsTo,
  namesOf,
  PLACE_PREFIXES,
  placeOf,
  type RootRow,
  rootsOf,
  totalsOf,
} from './reading-rows.ts'
import { tokensBy, type TokensOptions } from './tokens.ts'

export interface ChainsOptions extends ChecksOptions, TokensOptions {
  /** @throws BrokerError `not_found` for one that this person may not see */
  readonly consentFor: (person: ProvenPerson, id: ConsentId) => Promise<ReadConsent>
  /** An event of the log, with what was sealed beside it unless that was erased. */
  readonly entryOf: (event: EventId) => Promise<ReadEntry | null>
}
export interface Chains {
  /**
   * By the id of a consent, hop, decision, approval or credential. Tokens are for auditors.
   *
   * @throws BrokerError `not_found`, also for another sponsor's
   */
  find(id: string, person: ProvenPerson, of: { readonly tokens: boolean }): Promise<JsonObject>
}

const BELOW_MAX = 200

export function createChains(options: ChainsOptions): Chains {
  return {
    async find(id, person, { tokens }) {
      const prefix = PLACE_PREFIXES.find((it) => id.startsWith(`${it}_`))
      const place = prefix === undefined ? null : await placeOf(options, prefix, id)
      if (place === null) throw new BrokerError('not_found')
      const given = await options.consentFor(person, place.consent)
      const { roles, id: reader } = person.person
      const isOwn = roles.includes('sponsor') && given.consent.sponsor === reader
      if (!roles.includes('auditor') && !isOwn) throw new BrokerError('not_found')
      const found = await look(options, { id, place, given })
      return bodyOf(tokens ? found : { ...found, tokens: null })
    },
  }
}

async function look(
  options: ChainsOptions,
  { id, place, given }: Pick<Found, 'id' | 'place' | 'given'>,
): Promise<Found> {
  const { consent } = given
  const hops = place.delegation === null ? [] : await hopsTo(options, place.delegation)
  const listed = place.decision === null ? await hopsBelow(options, place, BELOW_MAX + 1) : null
  const below = listed?.slice(0, BELOW_MAX) ?? []
  const all = [...hops, ...below]
  const roots = await rootsOf(options, [...new Set(all.map(({ root }) => root))])
  const kept = await tokensBy(options, hashesOf([...roots, ...hops]))
  const root = roots.find(({ token_hash: hash }) => hash === hops[0]?.root) ?? null
  const tokens = hashesOf(root === null ? [] : [root, ...hops]).map(
    (hash) => kept.get(hash) ?? null,
  )
  const decided = place.decision_event && (await options.entryOf(place.decision_event))
  const agents = [consent.terms.agent, ...all.map(({ agent }) => agent)]
  return {
    ...{ id, place, given, decided, root, hops, tokens },
    granted: await options.entryOf(given.eventId as EventId),
    below: listed && { hops: below, isAll: listed.length === below.length },
    left: new Map([...roots.flatMap((row) => leftAtRoot(row, kept)), ...all.map(leftAtHop)]),
    names: await namesOf(options, { agents, keys: all.map(({ jkt }) => jkt) }),
    approvals: place.approval === null ? [] : await approvalOf(options, place.approval),
    done: await doneUnder(options, {
      ...{ consent: consent.id, agent: consent.terms.agent },
      hops: all.map((row) => row.id),
    }),
    totals: await totalsOf(options, [
      ...[consent.id, ...all.map((row) => row.id), ...roots.map(({ jti }) => jti)],
    ]),
    evidence: checkEvidence(options, consent, given.consentJwt),
    now: await checkNow(options, consent, tokens, decided),
    then: decided && tokens.length > 0 ? checkAt(options, tokens, timeOf(decided)) : null,
  }
}

async function checkNow(
  options: ChainsOptions,
  consent: Consent,
  tokens: readonly (string | null)[],
  decided: ReadEntry | null,
): Promise<Verification> {
  if (tokens.length > 0) return await checkTokens(options, tokens)
  const actor = decided?.record['actor'] as JsonObject | undefined
  const instance = actor?.['instance_id']
  return await checkStanding(options, consent, typeof instance === 'string' ? instance : null)
}

const hashesOf = (rows: readonly (RootRow | HopRow)[]) => rows.map(({ token_hash: hash }) => hash)
const leftAtHop = ({ token_hash: hash, effective }: HopRow) => [hash, effective] as const

/** A root's row does not say what it allows; its token does. */
function leftAtRoot({ token_hash: hash }: RootRow, kept: ReadonlyMap<string, string>) {
  return leftAt([kept.get(hash) ?? null]).map(({ effective }) => [hash, effective] as const)
}

function timeOf({ record }: ReadEntry): Date {
  return new Date(record['recorded_at'] as string)
}
