/** A set of keys in time: which signs, which will, and which may go. Text of a key file in, text out. */
import { generateKeyPairSync } from 'node:crypto'
import { sha256 } from './domain/digest.ts'
import { canonical, isObject, type Json, type JsonObject } from './domain/json.ts'
import {
  ELSEWHERE,
  publicMembers,
  rawKeys,
  readSet,
  type SetName,
  SETS,
  startOf,
} from './key-files.ts'
import type { Pair } from './pkcs11/signers.ts'

/** How long a document of keys may be kept by whoever verifies: what a new key has to wait for. */
export const PUBLISHED_SECONDS = 300
/** Until every broker signs with the next key, and its clock agrees. */
const SLACK_SECONDS = 60

/**
 * How long a token of each set may live, in seconds. `null`: a chain and a consent are looked at for as
 * long as the log is, so what signed them stays.
 */
const LIVES: Readonly<Record<SetName, number | null>> = {
  sessions: 600,
  roots: null,
  decisions: 60,
  credentials: 3600,
  evidence: null,
}

export interface KeyState {
  readonly kid: string
  /** `ended`: nothing that it signed is good any more. */
  readonly state: 'signs' | 'will sign' | 'verifies' | 'ended'
  /** Of a key that will sign, when it begins; of one that verifies, when it may go, if ever. */
  readonly at: Date | null
  /** What names its private half, where that is in a token. */
  readonly inToken?: string
}

/** @throws KeyError */
export function statesOf(text: string, name: SetName, now: Date): KeyState[] {
  const [signing] = readSet(text, name, now)
  const at = now.getTime() / 1000
  const jwks = rawKeys(text, name)
  const begun = jwks.map((jwk) => startOf(jwk, name)).filter((start) => start <= at)
  return jwks.map((jwk) => {
    const [start, place] = [startOf(jwk, name), placeOf(jwk)]
    const key = { kid: kidOf(jwk), ...(place !== null && { inToken: place }) }
    if (key.kid === signing.kid) return { ...key, state: 'signs', at: null }
    if (start > at) return { ...key, state: 'will sign', at: dateOf(start) }
    // Of keys that nobody dated, nobody knows since when one does not sign: they stay.
    const next = Math.min(...begun.filter((other) => other > start))
    const life = LIVES[name]
    if (life === null || next === Infinity) return { ...key, state: 'verifies', at: null }
    const end = next + life + SLACK_SECONDS
    return { ...key, state: end > at ? 'verifies' : 'ended', at: dateOf(end) }
  })
}

/**
 * The set with a new key in it, which signs from then on, or from after the last that is to come.
 * Until then it is only published.
 *
 * @param made left out, one of the file
 * @throws KeyError
 */
export function withNewKey(
  text: string,
  name: SetName,
  signsFrom: Date,
  made: NewKey = newKey(name),
) {
  readSet(text, name)
  const jwks = rawKeys(text, name)
  // No two begin in one second: of every moment it is known which signs.
  const after = Math.max(...jwks.map((jwk) => startOf(jwk, name))) + 1
  const start = Math.max(Math.ceil(signsFrom.getTime() / 1000), after)
  const jwk = { ...made, signs_from: start }
  return { text: textOf([...jwks, jwk]), kid: jwk.kid, signsFrom: dateOf(start) }
}

/**
 * The set without the keys that ended. The one that signs never does.
 *
 * @returns `left`: what names the private halves that are still in a token
 * @throws KeyError
 */
export function withoutEnded(text: string, name: SetName, now: Date) {
  const ended = statesOf(text, name, now).filter(({ state }) => state === 'ended')
  const gone = ended.map(({ kid }) => kid)
  const left = ended.flatMap(({ inToken }) => inToken ?? [])
  const stay = rawKeys(text, name).filter((jwk) => !gone.includes(kidOf(jwk)))
  return { text: textOf(stay), gone, left }
}

export const newSetText = (name: SetName) => textOf([newKey(name)])

export type NewKey = ReturnType<typeof newKey>

function newKey(name: SetName) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return namedKey(name, privateKey.export({ format: 'jwk' }) as JsonObject)
}

/** A key as it stands in its file, whose private half is in a token. */
export const keyInToken = (name: SetName, { uri, jwk }: Pair): NewKey =>
  namedKey(name, { ...jwk, [ELSEWHERE]: uri })

function namedKey(name: SetName, jwk: JsonObject) {
  const kid = `${SETS[name]}-${sha256(canonical(publicMembers(jwk))).slice(0, 12)}`
  return { ...jwk, kid, alg: 'ES256', use: 'sig' }
}

/** Whether the last that will sign is in a token: the next one goes where it is. @throws KeyError */
export function isLastInToken(text: string, name: SetName): boolean {
  const starts = (one: Json, other: Json) => startOf(one, name) - startOf(other, name)
  return placeOf(rawKeys(text, name).toSorted(starts).at(-1) ?? null) !== null
}

/** `null`: it is in its file. */
function placeOf(jwk: Json): string | null {
  const place = isObject(jwk) ? jwk[ELSEWHERE] : undefined
  return typeof place === 'string' ? place : null
}

const textOf = (keys: Json[]) => `${canonical({ keys })}\n`
const dateOf = (seconds: number) => new Date(seconds * 1000)
/** It has one: `readSet` has looked. */
const kidOf = (jwk: Json) => (jwk as { readonly kid: string }).kid
