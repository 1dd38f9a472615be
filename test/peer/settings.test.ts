/** The line as it is configured: whole, or a mistake that is told as what it is, once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.ts'

const dir = mkdtempSync(join(tmpdir(), 'procura-settings-'))
writeFileSync(join(dir, 'some.pem'), 'x')
writeFileSync(join(dir, 'role'), 'cdp')
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const WHOLE = {
  ...{ DATABASE_URL: 'postgres://a@b/c', PROCURA_ISSUER: 'https://broker.example' },
  ...{ PROCURA_PEER_CERT: `${dir}/some.pem`, PROCURA_PEER_KEY: `${dir}/some.pem` },
  ...{ PROCURA_PEER_CA: `${dir}/some.pem`, PROCURA_PEER_LISTEN: '127.0.0.1:8788' },
}

/** Each key that something is wrong with. */
function mistaken(env: Record<string, string>, said?: Record<string, string>): string[] {
  try {
    loadConfig(env, said)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes.map(({ key }) => key)
  }
}

describe('the line', () => {
  it('is there when all of it is', () => {
    const { config } = loadConfig({ ...WHOLE, PROCURA_ROLE: 'pdp' })
    expect(config.peer).toMatchObject({ role: 'pdp', listen: { host: '127.0.0.1', port: 8788 } })
  })

  it('is of the role that was said on the command line, wherever another was given', () => {
    for (const given of [{ PROCURA_ROLE: 'cdp' }, { PROCURA_ROLE_FILE: `${dir}/role` }]) {
      const { config } = loadConfig({ ...WHOLE, ...given }, { PROCURA_ROLE: 'pdp' })
      expect(config.role).toBe('pdp')
    }
  })

  it.each([
    ['PROCURA_ROLE', { PROCURA_ROLE: 'both' }],
    ['PROCURA_PEER_LISTEN', { PROCURA_PEER_LISTEN: '127.0.0.1:65536' }],
    ['PROCURA_PEER_LISTEN', { PROCURA_PEER_LISTEN: 'nowhere' }],
    ['PROCURA_ISSUER', { PROCURA_ISSUER: 'nothing' }],
    ['PROCURA_PEER_CERT', { PROCURA_PEER_CERT_FILE: `${dir}/some.pem` }],
    ['PROCURA_PEER_CERT_FILE', { PROCURA_PEER_CERT: '', PROCURA_PEER_CERT_FILE: `${dir}/none` }],
  ])('has one mistake where %s is the only one', (key, wrong) => {
    const env: Record<string, string> = { ...WHOLE, PROCURA_ROLE: 'pdp', ...wrong }
    if (env['PROCURA_PEER_CERT'] === '') delete env['PROCURA_PEER_CERT']
    expect(mistaken(env)).toEqual([key])
  })
})
