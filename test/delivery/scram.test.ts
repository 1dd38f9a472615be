import { createHash, createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { scramVerifier } from '../../src/delivery/connectors/postgres/scram.ts'
import { Secret } from '../../src/domain/secret.ts'

// RFC 7677 §3
const NONCE = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
const SALT = 'W22ZaJ0SNY7soEsUEjb6gQ=='
const AUTH = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${NONCE},s=${SALT},i=4096,c=biws,r=${NONCE}`
const PROOF = 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ='
const SIGNATURE = '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='

describe('a SCRAM verifier', () => {
  it('accepts the proof of RFC 7677, and signs as its server does', async () => {
    const verifier = await scramVerifier(new Secret('pencil'), Buffer.from(SALT, 'base64'))
    const [, stored = '', server = ''] =
      /^SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$([^:]+):(.+)$/.exec(verifier) ?? []
    const hmac = (key: string) =>
      createHmac('sha256', Buffer.from(key, 'base64')).update(AUTH).digest()
    expect(hmac(server).toString('base64')).toBe(SIGNATURE)
    const mask = hmac(stored)
    const clientKey = Buffer.from(PROOF, 'base64').map((octet, at) => octet ^ (mask[at] ?? 0))
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(stored)
  })

  it('has a salt of its own each time', async () => {
    const password = new Secret('pencil')
    expect(await scramVerifier(password)).not.toBe(await scramVerifier(password))
  })
})
