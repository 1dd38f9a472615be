import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { settingsTable } from '../../src/cli/commands/config.ts'
import { rolesPlan } from '../../src/cli/commands/database.ts'
import { createProgram } from '../../src/cli/program.ts'
import { aFolder, procura } from './run.ts'

describe('the command line', () => {
  it('shows worked examples first when it is asked for help', async () => {
    const { code, stdout } = await procura(['--help'])
    expect(code).toBe(0)
    expect(stdout.indexOf('procura get sql.query')).toBeLessThan(stdout.indexOf('Usage:'))
    expect(stdout).toContain('exit codes')
  })

  it('describes every command and every option of it', () => {
    const all = createProgram().commands.flatMap((it) => [it, ...it.commands])
    for (const command of all) {
      expect(command.description(), command.name()).not.toBe('')
      for (const { flags, description } of command.options) expect(description, flags).not.toBe('')
    }
  })

  it.each([
    [['frob'], "unknown command 'frob'"],
    [['get'], 'missing required argument'],
    [['get', 'sql.query', '--ttl', 'soon'], 'a whole number above 0'],
    [['get', 'sql.query', '--password', 'x'], "unknown option '--password'"],
    [['consent', 'give', 'report-bot'], 'required option'],
  ])('ends with 2 for a line it does not understand: %j', async (args, said) => {
    const { code, stdout, stderr } = await procura(args)
    expect(stderr).toContain(said)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  it('says how to begin where there is no broker', async () => {
    const { code, stderr } = await procura(['inbox'])
    expect(stderr).toContain('start one with')
    expect(code).toBe(2)
  })

  it('ends with 6 when the broker does not answer', async () => {
    const env = { PROCURA_URL: 'http://localhost:1', PROCURA_TOKEN: 'canary-token' }
    const { code, stderr } = await procura(['inbox'], { env })
    expect(code).toBe(6)
    expect(stderr).not.toContain('canary')
  })
})

describe('the configuration', () => {
  it('is refused whole: every mistake at once, with an example, and no value', async () => {
    const env = {
      DATABASE_URL: 'mysql://canary-user:canary-password@db/x',
      PROCURA_PORT: '99999',
      PROCURA_SEAL_KEY: 'canary-key',
      PROCURA_TRUST: '/nowhere/trust.yaml',
    }
    const { code, stdout, stderr } = await procura(['config', 'check'], { env })
    expect(code).toBe(2)
    for (const name of Object.keys(env)) expect(stderr).toContain(name)
    expect(stderr).toContain('for instance postgres://')
    expect(stdout + stderr).not.toContain('canary')
  })

  it('names the place of a mistake in the trust file', async () => {
    const file = join(aFolder(), 'trust.yaml')
    writeFileSync(file, 'services:\n  - name: Payments\n    audience: https://payments.example\n')
    const { code, stderr } = await procura(['config', 'check'], { env: { PROCURA_TRUST: file } })
    expect(code).toBe(2)
    expect(stderr).toContain('services.0.name')
    expect(stderr).toContain('services.0.jwk')
  })

  it('takes an empty file for a mistake, and not for a setting that was left out', async () => {
    const file = join(aFolder(), 'empty')
    writeFileSync(file, '\n')
    const env = { DATABASE_URL_FILE: file, PROCURA_TRUST: file }
    const { code, stderr } = await procura(['config', 'check'], { env })
    expect(code).toBe(2)
    expect(stderr).toContain(`DATABASE_URL_FILE: ${file} is empty`)
    expect(stderr).toContain(`${file}: says nothing`)
  })

  it('warns of names that nothing reads', async () => {
    const env = { PROCURA_PROT: '80', PROCURA_PORT_FILE: '/nowhere' }
    const { stderr } = await procura(['config', 'check'], { env })
    expect(stderr).toContain('PROCURA_PORT_FILE: the file /nowhere cannot be read')
    const { stderr: warned } = await procura(['keys', 'create'], { env: { PROCURA_PROT: '80' } })
    expect(warned).toContain('PROCURA_PROT is not read by anything')
  })

  it('says which keys are missing, and how to make them; then there is nothing to say', async () => {
    const env = { PROCURA_DATA: aFolder() }
    const before = await procura(['config', 'check'], { env })
    expect(before.stdout).toMatch(/wrong +keys: .*procura keys create/)
    expect((await procura(['keys', 'create'], { env })).stdout).toContain('sessions.json')
    expect((await procura(['keys', 'create'], { env })).stdout).toContain('every key was there')
    const after = await procura(['config', 'check'], { env })
    expect(after.stdout).toMatch(/ok +keys/)
  })

  it('is documented as it is read', () => {
    const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
    expect(page).toContain(settingsTable())
  })
})

describe('policy test', () => {
  const policies = join(import.meta.dirname, '..', '..', 'policies')

  it('passes what is shipped, with every rule tried', async () => {
    const { code, stdout } = await procura(['policy', 'test', policies, '--strict'])
    expect(stdout).toMatch(/sql\.cedar .* ok/)
    expect(code).toBe(0)
  })

  it('ends with 1 and says what is wrong with a set that is not sound', async () => {
    const folder = aFolder()
    writeFileSync(join(folder, 'bad.cedar'), 'permit (principal, action, resource) when {')
    const { mkdirSync } = await import('node:fs')
    mkdirSync(join(folder, 'tools'))
    const { code, stdout } = await procura(['policy', 'test', folder])
    expect(stdout).toContain('wrong')
    expect(code).toBe(1)
  })
})

describe('db plan', () => {
  it('makes roles that cannot log in, and quotes the login that joins them', () => {
    const sql = rolesPlan('od"d')
    expect(sql).toContain('create role procura_cdp nologin')
    expect(sql).toContain('grant procura_cdp to "od""d";')
    expect(sql).not.toContain('superuser')
  })
})
