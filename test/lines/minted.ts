/**
 * What was minted, held against what was handed down: an independent reading of the record. For every
 * credential that was ever issued here, the call lies within what the consent and each token of its
 * chain state, its end lies before all of theirs, and all that was allowed adds up to no more.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { isObject, type Json, type JsonObject } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { type Bound, CUMULATIVE, isInside, standsFor, typeOf } from '../chain/oracle-values.ts'
import { insideOf } from './forging.ts'
import type { TwoBrokers } from './world.ts'

/** What a consent or a token states, whatever stands above it. */
interface Stated {
  readonly name: string
  readonly scopes: readonly string[]
  readonly purpose: string
  readonly bounds: readonly Bound[]
  readonly endsAt: number
}
interface Allowed {
  readonly id: string
  readonly tool: string
  readonly purpose: string
  readonly values: JsonObject
  /** The consent first, the leaf last. */
  readonly path: readonly Stated[]
  readonly isRefunded: boolean
  readonly lease: { readonly issued: number; readonly ends: number } | null
}

/** Fails on the first credential that is outside anything it rests on; how many were looked at. */
export async function checkMinted(two: TwoBrokers): Promise<number> {
  const allowed = await allowedOf(two)
  for (const one of allowed.filter(({ lease }) => lease !== null)) checkOne(one)
  checkTotals(allowed.filter(({ isRefunded }) => !isRefunded))
  return allowed.length
}

function checkOne({ id, tool, purpose, values, path, lease }: Allowed): void {
  for (const { name, scopes, purpose: above, bounds, endsAt } of path) {
    const say = `${id} under ${name}`
    expect(
      scopes.some((scope) => standsFor(scope, tool)),
      `${say}: ${tool}`,
    ).toBe(true)
    expect(`${purpose}.`.startsWith(`${above}.`), `${say}: ${purpose} for ${above}`).toBe(true)
    if (lease === null) continue
    expect(lease.ends, `${say}: its end`).toBeLessThanOrEqual(endsAt)
    for (const bound of bounds.filter((it) => !CUMULATIVE.includes(typeOf(it)))) {
      if (bound.key === 'ttl_seconds') {
        expect((lease.ends - lease.issued) / 1000, say).toBeLessThanOrEqual(Number(bound['max']))
      } else if (isAbout(bound, tool)) {
        expect(isInside(bound, valueOf(bound, values)), `${say}: ${bound.key}`).toBe(true)
      }
    }
  }
}

/**
 * Each total is added up anew from the calls: one of a subtree over all that was done below it, one of a
 * lifetime over what the holder of each token that has it, stated or inherited, did itself.
 */
function checkTotals(allowed: readonly Allowed[]): void {
  const sums = new Map<string, number>()
  for (const { tool, values, path } of allowed) {
    const leaf = path.at(-1)?.name ?? ''
    for (const { name, bounds } of path) {
      for (const bound of bounds.filter((it) => CUMULATIVE.includes(typeOf(it)))) {
        if (!isAbout(bound, tool)) continue
        const type = typeOf(bound)
        const holder = type === 'max_subtree' ? name : `${leaf} under ${name}`
        const total = `${holder}: ${bound.key} ${type}`
        const sum = (sums.get(total) ?? 0) + Number(valueOf(bound, values))
        expect(sum, total).toBeLessThanOrEqual(Number(bound[type]))
        sums.set(total, sum)
      }
    }
  }
}

const isAbout = ({ key }: Bound, tool: string) =>
  !key.includes('#') || standsFor(key.split('#')[0] ?? '', tool)

function valueOf({ key }: Bound, values: JsonObject): Json | undefined {
  const path = key.slice(key.indexOf('#') + 1)
  if (path === 'calls') return 1
  return path
    .split('.')
    .reduce<Json | undefined>((at, name) => (isObject(at) ? at[name] : undefined), values)
}

async function allowedOf({ database, home }: TwoBrokers): Promise<Allowed[]> {
  const sealer = createSealer(
    new Secret(readFileSync(join(home.keysDir, 'seal.key'), 'utf8').trim()),
  )
  const sealed = new Map(
    (await database.query<Sealed>('select * from procura.sealed_payload')).map((row) => [
      row.id,
      () => sealer.open({ ...row, wrappedKey: row.wrapped_key }),
    ]),
  )
  const consents = new Map(
    (
      await database.query<{ id: string; terms: Terms }>('select id, terms from procura.consent')
    ).map(({ id, terms }) => [id, consentStated(id, terms)]),
  )
  const rows = await database.query<Row>(
    `select d.entry::jsonb as entry, l.issued_at, l.expires_at, i.event_id is not null as is_issued,
       exists (select from procura.spent s where s.decision = d.entry::jsonb -> 'decision' ->> 'id'
               and s.refunded) as is_refunded
     from ledger.leaf d
     left join procura.lease l on l.decision_id = d.entry::jsonb -> 'decision' ->> 'id'
     left join ledger.leaf i on i.event_type = 'issuance'
       and i.entry::jsonb -> 'credential' ->> 'id' = l.id
     where d.event_type = 'decision' and d.entry::jsonb -> 'decision' ->> 'answer' = 'allow'
       and d.entry::jsonb ->> 'face' = 'native'`,
  )
  return rows.map(({ entry, issued_at, expires_at, is_issued, is_refunded }) => {
    const { arguments: args, facts } = opened(sealed, entry.decision.id)
    const consent = consents.get(entry.consent_id)
    if (consent === undefined) throw new Error('a decision under no consent')
    const tokens = entry.chain.hops.flatMap(({ token_hash: hash }) =>
      hash === null ? [] : [tokenStated(hash, opened(sealed, hash)['token'] as string)],
    )
    return {
      ...{ id: entry.decision.id, tool: entry.call.tool, purpose: entry.purpose },
      values: { args: args ?? null, facts: facts ?? null },
      ...{ path: [consent, ...tokens], isRefunded: is_refunded },
      lease: is_issued ? { issued: Number(issued_at), ends: Number(expires_at) } : null,
    }
  })
}

function opened(sealed: ReadonlyMap<string, () => JsonObject>, id: string): JsonObject {
  const open = sealed.get(id)
  if (open === undefined) throw new Error(`nothing is sealed as ${id}`)
  return open()
}

function consentStated(name: string, terms: Terms): Stated {
  return {
    ...{ name, scopes: terms.tools, purpose: terms.purpose, endsAt: Date.parse(terms.expires_at) },
    bounds: [
      ...terms.constraints,
      { key: 'calls', max_subtree: terms.max_uses },
      { key: 'ttl_seconds', max: terms.max_ttl_seconds },
    ],
  }
}

function tokenStated(name: string, token: string): Stated {
  const { purpose, exp, authorization_details: details } = insideOf(token).claims
  const [detail] = details as unknown as [{ scopes: string[]; constraints: Bound[] }]
  return {
    ...{ name, scopes: detail.scopes, bounds: detail.constraints },
    ...{ purpose: purpose as string, endsAt: Number(exp) * 1000 },
  }
}

interface Terms {
  readonly tools: string[]
  readonly purpose: string
  readonly constraints: Bound[]
  readonly expires_at: string
  readonly max_uses: number
  readonly max_ttl_seconds: number
}
interface Sealed extends Record<string, unknown> {
  readonly id: string
  readonly wrapped_key: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}
interface Row extends Record<string, unknown> {
  readonly entry: {
    readonly decision: { readonly id: string }
    readonly call: { readonly tool: string }
    readonly purpose: string
    readonly consent_id: string
    readonly chain: { readonly hops: readonly { readonly token_hash: string | null }[] }
  }
  readonly issued_at: Date | null
  readonly expires_at: Date | null
  readonly is_issued: boolean
  readonly is_refunded: boolean
}
