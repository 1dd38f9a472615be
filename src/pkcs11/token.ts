/** A token that is logged in to: it wraps, unwraps and signs with keys that nobody can take out of it. */
import { randomBytes } from 'node:crypto'
import { idAfter, type Keys, keysAt, makeKey } from './keys.ts'
import { gcm, readUlong, ulong } from './layout.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Module } from './module.ts'
import { makePair, privateKeyAt, signAt } from './pairs.ts'
import type { PinOnce } from './pin.ts'
import { SESSION, sessionAt, slotOf } from './slot.ts'
import type { KeyUri, TokenUri } from './uri.ts'

/** It was altered, moved, or wrapped with another key. */
export class Altered extends Error {
  override readonly name = 'Altered'
  constructor() {
    super('the token could not authenticate what is wrapped')
  }
}

export interface Token {
  /** Those of a seal, by their label. */
  keys(label: string): Promise<Keys>
  /** AES-256-GCM: nonce, ciphertext, tag. */
  seal(key: bigint, boundTo: Buffer, plain: Buffer): Promise<Buffer>
  /** @throws Altered where the key itself works, and any other error where it does not */
  open(key: bigint, boundTo: Buffer, sealed: Buffer): Promise<Buffer>
  /** @returns its version, which comes after `newest`. @throws TokenProblem when none does */
  makeKey(label: string, newest: string | undefined, now: Date): Promise<string>
  /** @throws TokenProblem unless exactly one fits, and may be relied on */
  privateKey(uri: KeyUri): Promise<bigint>
  /** ECDSA over P-256, as P1363. */
  sign(key: bigint, digest: Buffer): Promise<Buffer>
  /** @returns the public half, as a JWK has it */
  makePair(label: string, id: Buffer): Promise<JsonObject>
  close(): Promise<void>
}

const [NONCE, TAG] = [12, 16]
const USER = 1
const PROBE = Buffer.from('probe')

/** @throws TokenProblem for whoever configured it, TokenFault when the token fails */
export async function openToken(module: Module, uri: TokenUri, pin: PinOnce): Promise<Token> {
  const slot = await slotOf(module, uri)
  const session = await sessionAt(module, slot, SESSION.reading)
  // One that cannot be closed is gone already, or ends with us; why something failed matters more.
  const closed = (it: bigint) => module.call('C_CloseSession', it).catch(() => undefined)
  const close = () => closed(session)
  try {
    await pin.show((text) => module.call('C_Login', session, USER, text, text.length))
  } catch (error) {
    await close()
    throw error
  }
  async function writing<T>(work: (session: bigint) => Promise<T>): Promise<T> {
    const own = await sessionAt(module, slot, SESSION.writing)
    return await work(own).finally(() => closed(own))
  }
  return {
    ...{ ...ciphers(module, session), close },
    keys: (label) => keysAt(module, session, label),
    makeKey: (label, newest, now) =>
      writing((own) => makeKey(module, own, { label, id: idAfter(newest, now) })),
    privateKey: (uri) => privateKeyAt(module, session, uri),
    sign: (key, digest) => signAt(module, { session, key }, digest),
    makePair: (label, id) => writing((own) => makePair(module, own, { label, id })),
  }
}

function ciphers(module: Module, session: bigint): Pick<Token, 'seal' | 'open'> {
  const seal: Token['seal'] = async (key, boundTo, plain) => {
    const nonce = randomBytes(NONCE)
    const [out, length] = [Buffer.alloc(plain.length + TAG), ulong(plain.length + TAG)]
    await module.call('C_EncryptInit', session, gcm(nonce, boundTo, module.addressOf), key)
    await module.call('C_Encrypt', session, plain, plain.length, out, length)
    return Buffer.concat([nonce, out.subarray(0, Number(readUlong(length)))])
  }
  const open: Token['open'] = async (key, boundTo, sealed) => {
    const [nonce, rest] = [sealed.subarray(0, NONCE), sealed.subarray(NONCE)]
    const [out, length] = [Buffer.alloc(rest.length), ulong(rest.length)]
    await module.call('C_DecryptInit', session, gcm(nonce, boundTo, module.addressOf), key)
    await module.call('C_Decrypt', session, rest, rest.length, out, length)
    return out.subarray(0, Number(readUlong(length)))
  }
  return {
    seal,
    async open(key, boundTo, sealed) {
      if (sealed.length <= NONCE + TAG) throw new Altered()
      try {
        return await open(key, boundTo, sealed)
      } catch {
        // Some tokens say of what was altered no more than that they failed. So it is tried: one that
        // opens what it has just sealed has not failed.
        await open(key, boundTo, await seal(key, boundTo, PROBE))
        throw new Altered()
      }
    },
  }
}
