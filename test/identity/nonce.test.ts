import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createNonces } from '../../src/identity/nonce.ts'

const key = createSecretKey(randomBytes(32))
const later = (seconds: number) => new Date(Date.UTC(2026, 10, 20, 12) + seconds * 1000)

describe('nonces', () => {
  it('are the same on every replica that has the key, and on no other', () => {
    const [one, other] = [createNonces(key, true), createNonces(key, true)]
    expect(one.isFresh(other.current(later(0)), later(0))).toBe(true)
    const stranger = createNonces(createSecretKey(randomBytes(32)), true)
    expect(one.isFresh(stranger.current(later(0)), later(0))).toBe(false)
  })

  it('rotate every 150 s; the current one and the one before it are fresh', () => {
    const nonces = createNonces(key, true)
    const first = nonces.current(later(0))
    expect(nonces.current(later(149))).toBe(first)
    expect(nonces.current(later(150))).not.toBe(first)
    expect(nonces.isFresh(first, later(299))).toBe(true)
    expect(nonces.isFresh(first, later(300))).toBe(false)
  })

  it('[DPP-22] cannot be guessed, and nothing else is one', () => {
    const nonces = createNonces(key, true)
    expect(nonces.current(later(0))).toMatch(/^[A-Za-z0-9_-]{22}$/)
    for (const other of ['', 'x', nonces.current(later(0)).slice(1)]) {
      expect(nonces.isFresh(other, later(0))).toBe(false)
    }
  })
})
