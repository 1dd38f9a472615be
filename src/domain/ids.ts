/** Ids: a prefix that says what it names, and a UUIDv7, which sorts by time. Not secrets. */

import { randomFillSync } from 'node:crypto'

/** Person, agent, instance, consent, hop, decision, approval, credential (and lease), stop, ledger event. */
export type IdPrefix = 'spn' | 'agt' | 'ins' | 'con' | 'dlg' | 'dec' | 'apr' | 'crd' | 'rev' | 'evt'
export type Id<Prefix extends IdPrefix> = `${Prefix}_${string}`

/** One id per human, whichever roles they have: sponsor, approver, auditor, operator. */
export type PersonId = Id<'spn'>
export type AgentId = Id<'agt'>
export type InstanceId = Id<'ins'>
export type ConsentId = Id<'con'>
export type DelegationId = Id<'dlg'>
export type DecisionId = Id<'dec'>
export type ApprovalId = Id<'apr'>
/** A lease and its credential share one id. */
export type CredentialId = Id<'crd'>
export type RevocationId = Id<'rev'>
export type EventId = Id<'evt'>

/** A new id, made at `now`. `random` (10 octets) is for tests and worked examples. */
export function newId<Prefix extends IdPrefix>(
  prefix: Prefix,
  now: Date,
  random: Uint8Array = someRandom(),
): Id<Prefix> {
  // RFC 9562 §5.7: 48 bits of Unix milliseconds, version, 12 random bits, variant, 62 random bits.
  const octets = Buffer.alloc(16)
  octets.writeUIntBE(now.getTime(), 0, 6)
  octets.set(random.subarray(0, 10), 6)
  octets.writeUInt8((octets.readUInt8(6) & 0x0f) | 0x70, 6)
  octets.writeUInt8((octets.readUInt8(8) & 0x3f) | 0x80, 8)
  return `${prefix}_${base32(octets)}`
}

/** Ten octets of a supply: asking the system for each id costs more than all the rest of it. */
function someRandom(): Uint8Array {
  if (taken + 10 > SUPPLY.length) {
    randomFillSync(SUPPLY)
    taken = 0
  }
  taken += 10
  return SUPPLY.subarray(taken - 10, taken)
}
const SUPPLY = new Uint8Array(4000)
let taken = SUPPLY.length

/** Whether a text has exactly the form of such an id: no upper case, none of the aliases I L O U. */
export function isId<Prefix extends IdPrefix>(prefix: Prefix, text: string): text is Id<Prefix> {
  return text.startsWith(`${prefix}_`) && CODE.test(text.slice(prefix.length + 1))
}

/** 128 bits in 26 characters of 5: two zero bits go before the first. */
function base32(octets: Uint8Array): string {
  let text = ''
  let held = 0
  let bits = 2
  for (const octet of octets) {
    held = (held << 8) | octet
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += ALPHABET.charAt(held >> bits)
      held &= (1 << bits) - 1
    }
  }
  return text
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const CODE = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/
