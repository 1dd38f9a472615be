/** A person's token → who they are, and what their issuer says they may do here. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Clock } from '../domain/clock.ts'
import { sha256 } from '../domain/digest.ts'
import { newId, type PersonId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { JwsError } from '../domain/jws.ts'
import { type Person, ProvenPerson, type Role, ROLES } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Presented } from '../domain/request.ts'
import { createCache } from '../domain/cache.ts'
import type { Issuers, PeopleIssuer } from './issuers.ts'
import { credentialsIn, refusing } from './refusals.ts'
import { type Kind, kidOf, SKEW_SECONDS, type ThirdParty, verifyThirdParty } from './third-party.ts'

const PERSON: Kind = {
  algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA'],
  types: [null, 'JWT', 'at+jwt'],
  audiences: 'among',
}
const DISPLAYED_MAX = 200
const KEPT = 4000
const KEPT_MS = 60_000

export interface PeopleOptions {
  readonly tenant: string
  readonly pool: Pool
  /** The broker's own issuer: the audience. */
  readonly issuer: string
  readonly issuers: Issuers
  readonly clock: Clock
}

export interface People {
  /** @throws BrokerError `invalid_token`, or `unavailable` */
  person(presented: Presented): Promise<ProvenPerson>
}

export function createPeople(options: PeopleOptions): People {
  // By the digest of the whole token; holds who was verified, for a minute and never past `exp`.
  const known = createCache<{ person: ProvenPerson; until: number }>(KEPT)

  async function prove(token: string, now: Date) {
    const verified = await verify(options, token, now)
    const { id, ...said } = await remember(options, personOf(verified))
    const person = ProvenPerson.proven({ id, ...said }, signedInAt(verified), verified.tokenHash)
    const expires = verified.expiresAt.getTime() + SKEW_SECONDS * 1000
    return { person, until: Math.min(expires, now.getTime() + KEPT_MS) }
  }

  return {
    async person({ authorization }) {
      const token = credentialsIn(authorization, 'Bearer')
      if (token === null) throw new BrokerError('invalid_token', { message: 'not_bearer' })
      const now = options.clock()
      const digest = sha256(token)
      const kept = known.get(digest)
      if (kept !== undefined && now.getTime() < kept.until) return kept.person
      const proven = await refusing('invalid_token', () => prove(token, now))
      known.set(digest, proven)
      return proven.person
    },
  }
}

/** @throws BrokerError `role_required` unless the person has one of these roles */
export function requireRole({ person }: ProvenPerson, ...roles: readonly Role[]): void {
  if (roles.some((role) => person.roles.includes(role))) return
  throw new BrokerError('role_required', {
    shown: { detail: `This needs the role ${roles.join(' or ')}` },
  })
}

interface Verified extends ThirdParty {
  readonly settings: PeopleIssuer
}

async function verify(options: PeopleOptions, token: string, now: Date): Promise<Verified> {
  const { issuers, issuer: audience } = options
  const keyFor = async ({ iss }: JsonObject, header: JsonObject) => {
    const trusted = issuers.person(iss)
    if (trusted === undefined) throw new JwsError('iss')
    return await trusted.keys.find(kidOf(header))
  }
  const verified = await verifyThirdParty(token, { kind: PERSON, audience, keyFor, now })
  const settings = issuers.person(verified.claims['iss'])?.settings
  if (settings === undefined) throw new JwsError('iss')
  return { ...verified, settings }
}

function personOf({ claims, settings }: Verified): Omit<Person, 'id'> {
  const { sub, name } = claims
  if (typeof sub !== 'string' || sub === '' || sub.length > 255) throw new JwsError('sub')
  const given = texts(claims[settings.roles.claim])
  return {
    issuer: settings.issuer,
    subject: sub,
    display: typeof name === 'string' ? displayed(name) : null,
    roles: ROLES.filter((role) => settings.roles[role].some((value) => given.includes(value))),
    groups: texts(claims[settings.groups_claim]),
  }
}

/** By characters: half of one is no text, and could not go on record. */
function displayed(name: string): string {
  return [...name.replaceAll(/\p{C}/gu, '')].slice(0, DISPLAYED_MAX).join('')
}

function signedInAt({ claims }: ThirdParty): Date | null {
  const { auth_time: at } = claims
  return typeof at === 'number' && Math.abs(at) < 8.64e12 ? new Date(at * 1000) : null
}

/** A claim that is one text or a list of them; anything else in it says nothing. */
function texts(claim: Json | undefined): string[] {
  const values = Array.isArray(claim) ? claim : [claim]
  return [...new Set(values.filter((value) => typeof value === 'string'))].sort()
}

/** One id per `(iss, sub)`, for ever; roles and groups as their issuer says them now. */
async function remember(
  { tenant, pool, clock }: PeopleOptions,
  said: Omit<Person, 'id'>,
): Promise<Person> {
  const { issuer, subject, display, roles, groups } = said
  const find = {
    name: 'person_same',
    text: `select id from procura.person where tenant = $1 and issuer = $2 and subject = $3
           and display is not distinct from $4 and roles = $5::text[] and groups = $6::text[]`,
    values: [tenant, issuer, subject, display, roles, groups],
  }
  const same = (await ask<{ id: PersonId }>(pool, find))[0]
  if (same !== undefined) return { ...said, id: same.id }
  const upsert = {
    name: 'person_upsert',
    text: `insert into procura.person (tenant, issuer, subject, display, roles, groups, id)
           values ($1, $2, $3, $4, $5, $6, $7)
           on conflict (tenant, issuer, subject) do update
             set display = excluded.display, roles = excluded.roles, groups = excluded.groups,
                 seen_at = clock_timestamp()
           returning id`,
    values: [...find.values, newId('spn', clock())],
  }
  const row = (await ask<{ id: PersonId }>(pool, upsert))[0]
  if (row === undefined) throw new Error('a person was not stored')
  return { ...said, id: row.id }
}
