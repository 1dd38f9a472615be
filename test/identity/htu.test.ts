import { describe, expect, it } from 'vitest'
import { normalised } from '../../src/identity/htu.ts'

const URL = 'https://broker.example/v1/credentials'

describe('the address in a proof', () => {
  it.each([
    URL,
    'HTTPS://Broker.EXAMPLE/v1/credentials',
    'https://broker.example:443/v1/credentials',
    'https://broker.example:/v1/credentials',
    `${URL}?a=b`,
    `${URL}#c`,
    'https://broker.example/v1/cr%65dentials',
  ])('[DPP-10] is the same however it is written: %s', (htu) => {
    expect(normalised(htu)).toBe(URL)
  })

  it.each([
    'https://evil.example/v1/credentials',
    'http://broker.example/v1/credentials',
    'https://broker.example:8443/v1/credentials',
    'https://broker.example',
    'https://broker.example/v1/credentials/',
    'https://broker.example//v1/credentials',
    'https://broker.example/V1/credentials',
    'https://broker.example/v1%2fcredentials',
    'http://10.0.0.7:8787/v1/credentials',
  ])('[DPP-09] is another one: %s', (htu) => {
    expect(normalised(htu)).not.toBe(URL)
  })

  it.each([
    'https://broker.example/v1/./credentials',
    'https://broker.example/v1/x/../credentials',
    'https://broker.example/v1/x/%2e%2E/credentials',
    'https://broker.example/v1/credentials/..',
    'https://user@broker.example/v1/credentials',
    'https://broker.example\\@evil.example/v1/credentials',
    'https://broker.example/v1/%zz',
    'https://broker.example/v1/crédentials',
    'https://broker.example /v1/credentials',
    'https:/v1/credentials',
    '/v1/credentials',
    'ftp://broker.example/v1/credentials',
    'https:///v1/credentials',
    'https://broker.example:x/v1/credentials',
    '',
  ])('[DPP-09] is none that we compare: %s', (htu) => {
    expect(normalised(htu)).toBeNull()
  })

  it('knows the default ports, loopback addresses and the empty path', () => {
    expect(normalised('http://127.0.0.1:8787/x')).toBe('http://127.0.0.1:8787/x')
    expect(normalised('http://[::1]:80')).toBe('http://[::1]/')
    expect(normalised('http://localhost:443/')).toBe('http://localhost:443/')
  })
})
