import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { brakeTarget } from '../../src/cli/brake-target.ts'
import { checksOf } from '../../src/cli/config-checks.ts'
import { loadConfig } from '../../src/config.ts'
import { createKeys } from '../../src/keys.ts'
import { anAwsEndpoint, xml } from '../fakes/aws-endpoint.ts'
import { aFolder, procura } from './run.ts'

const PASSWORD = 'canary-password-of-the-target'
const TRUST = `
targets:
  payments: { connector: jwt, audience: https://payments.example }
  orders-db:
    connector: postgres
    host: orders.internal
    database: orders
    admin_user: procura_orders
    group_roles: [orders_read, orders_write]
  tracker:
    connector: http
    base_url: https://api.tracker.example
    allow: [{ methods: [GET], paths: ['/issues/{number}'] }]
    inject: { refresh_token: { token_url: https://as.example/token, client_id: us } }
  reports:
    connector: aws-sts
    role_arn: arn:aws:iam::123456789012:role/reports
    region: eu-west-1
    external_id: ours-1
    kill_switch: role_policy
  archive:
    connector: aws-sts
    role_arn: arn:aws-cn:iam::123456789012:role/archive
    region: cn-north-1
    credentials: web_identity
    revoker_role_arn: arn:aws-cn:iam::123456789012:role/archive-revoker
`
const ISSUER = { PROCURA_ISSUER: 'https://broker.example' }

function trusting() {
  const file = join(aFolder(), 'trust.yaml')
  writeFileSync(file, TRUST)
  return { PROCURA_TRUST: file }
}

describe('target plan', () => {
  it('prints SQL with a verifier of the password, and the password nowhere', async () => {
    const options = { env: trusting(), input: `${PASSWORD}\n` }
    const { code, stdout, stderr } = await procura(['target', 'plan', 'orders-db'], options)
    expect(stdout).toContain('SCRAM-SHA-256$')
    expect(stdout).toContain('grant "orders_write" to "procura_orders" with admin option')
    expect(stdout + stderr).not.toContain('canary')
    expect(code).toBe(0)
  })

  it('prints the policies of an AWS role, and asks for nothing secret', async () => {
    const principal = 'arn:aws:iam::123456789012:user/procura'
    const args = ['target', 'plan', 'reports', '--principal', principal]
    const { code, stdout } = await procura(args, { env: trusting() })
    const [trust, own] = stdout.split(/^[AT].*:$/m).flatMap((text) => text.trim() || [])
    expect(JSON.parse(trust ?? '')).toMatchObject({
      Statement: [
        {
          Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
          Principal: { AWS: principal },
          Condition: { StringEquals: { 'sts:ExternalId': 'ours-1' } },
        },
      ],
    })
    expect(JSON.parse(own ?? '')).toMatchObject({
      Statement: [{}, { Action: ['iam:GetRolePolicy', 'iam:PutRolePolicy'] }],
    })
    expect(code).toBe(0)
  })

  it('prints the provider of this broker, and roles that believe it for one target each', async () => {
    const env = { ...trusting(), ...ISSUER }
    const { code, stdout } = await procura(['target', 'plan', 'archive'], { env })
    expect(code).toBe(0)
    const documents = stdout.split(/^[AT].*:$/m).flatMap((text) => text.trim() || [])
    const [provider, trust, ofRevoker, may] = documents.map((text) => JSON.parse(text) as unknown)
    expect(provider).toEqual({
      Url: 'https://broker.example/identity',
      ClientIDList: ['sts.amazonaws.com'],
    })
    const host = 'broker.example/identity'
    const federated = `arn:aws-cn:iam::123456789012:oidc-provider/${host}`
    const believing = (sub: string, ...more: string[]) => ({
      ...{ Effect: 'Allow', Principal: { Federated: federated } },
      Action: ['sts:AssumeRoleWithWebIdentity', ...more],
      Condition: { StringEquals: { [`${host}:aud`]: 'sts.amazonaws.com', [`${host}:sub`]: sub } },
    })
    const marks = ['sts:TagSession', 'sts:SetSourceIdentity']
    const said = (...statements: object[]) => ({ Version: '2012-10-17', Statement: statements })
    expect(trust).toEqual(said(believing('procura:archive', ...marks)))
    expect(ofRevoker).toEqual(said(believing('procura:archive:revoker')))
    const role = 'arn:aws-cn:iam::123456789012:role/archive'
    const actions = ['iam:GetRolePolicy', 'iam:PutRolePolicy']
    expect(may).toEqual(said({ Effect: 'Allow', Action: actions, Resource: role }))
  })

  it.each([
    ['reports', '', 'needs --principal'],
    ['archive', '', 'needs PROCURA_ISSUER'],
    ['nowhere', PASSWORD, 'no target nowhere'],
    ['constructor', PASSWORD, 'no target constructor'],
    ['payments', PASSWORD, 'needs no SQL'],
    ['orders-db', 'short', '16 characters'],
  ])('ends with 2 for %s with %s', async (name, input, said) => {
    const { code, stderr } = await procura(['target', 'plan', name], { env: trusting(), input })
    expect(stderr).toContain(said)
    expect(code).toBe(2)
  })
})

describe('target brake', () => {
  it('needs to know the issuer that the role believes, and no database', async () => {
    const env = trusting()
    const { code, stderr } = await procura(['target', 'brake', 'archive'], { env })
    expect(stderr).toContain('needs PROCURA_ISSUER')
    expect(code).toBe(2)
  })
})

describe('the brake, when little is left', () => {
  const brakeOf = async (name: 'reports' | 'archive', kept: string[], more: object = {}) => {
    const env = { ...trusting(), ...ISSUER, DATABASE_URL: 'postgres://127.0.0.1:9/nowhere' }
    const { config } = loadConfig({ ...env, PROCURA_DATA: aFolder() })
    const { keysDir, trust } = config
    await createKeys(keysDir)
    const others = readdirSync(keysDir).filter((file) => !kept.includes(file))
    for (const file of others) rmSync(join(keysDir, file))
    const { connector: _, limits: __, ...settings } = trust.targets[name] ?? { connector: '' }
    return await brakeTarget(config, { name, settings: { ...settings, ...more } })
  }

  it('is pulled with the keys that sign and nothing else, where no key of AWS is stored', async () => {
    const sts = await anAwsEndpoint()
    const sessions = sts.answer
    sts.answer = (res, form) => {
      if (form.get('Action') === 'PutRolePolicy') xml(res, 200, '<PutRolePolicyResponse/>')
      else sessions(res, form)
    }
    const at = { endpoint: sts.url, allow_http: true }
    const before = await brakeOf('archive', ['credentials.json'], at)
    await sts.close()
    expect(sts.asked.at(-1)?.form.get('PolicyDocument')).toContain(
      before.toISOString().slice(0, 19),
    )
  })

  it('asks for nothing but what opens it where a key of AWS is stored', async () => {
    await expect(brakeOf('reports', [])).rejects.toThrow('seal.key')
  })
})

describe('config check', () => {
  it('finds a role that one target hands out and that ends the sessions of another', async () => {
    const role = 'arn:aws-cn:iam::123456789012:role'
    const env = trusting()
    writeFileSync(env.PROCURA_TRUST, TRUST.replace(/arn:aws:.*$/m, `${role}/archive-revoker`))
    const { config } = loadConfig({ ...env, PROCURA_DATA: aFolder(), PROCURA_POLICIES: aFolder() })
    await createKeys(config.keysDir)
    expect((await checksOf(config)).find(({ what }) => what === 'targets')?.problems).toEqual([
      'The target reports hands out the revoker_role_arn of archive, which may write policies',
    ])
  })

  it.each([
    ['1', ['The target payments has limits.concurrent 10, more than 8: half of what']],
    ['2', []],
  ])('finds a target that may take too much of each of %s workers', async (workers, said) => {
    const env = { ...trusting(), PROCURA_CONCURRENT: '16', PROCURA_WORKERS: workers }
    writeFileSync(
      env.PROCURA_TRUST,
      TRUST.replace('audience:', 'limits: { concurrent: 10 }, audience:'),
    )
    const { config } = loadConfig({ ...env, PROCURA_DATA: aFolder(), PROCURA_POLICIES: aFolder() })
    await createKeys(config.keysDir)
    const problems = (await checksOf(config)).find(({ what }) => what === 'targets')?.problems
    expect(problems).toEqual(said.map((text) => expect.stringContaining(text) as string))
  })
})

describe('target secret', () => {
  it('takes none for a target that has no use for one', async () => {
    const env = { ...trusting(), DATABASE_URL: 'postgres://localhost:1/procura' }
    const options = { env, input: PASSWORD }
    const { code, stderr } = await procura(['target', 'secret', 'archive'], options)
    expect(stderr).toContain('has no secret')
    expect(code).toBe(2)
  })

  it('of a target with a refresh token has a form, which it is held to before it is stored', async () => {
    const env = { ...trusting(), DATABASE_URL: 'postgres://127.0.0.1:9/nowhere' }
    const options = { env, input: '{"refresh_token":"canary-of-a-token"}' }
    const { code, stdout, stderr } = await procura(['target', 'secret', 'tracker'], options)
    expect(stderr).toContain('{"client_secret": "…", "refresh_token": "…"}')
    expect(stdout + stderr).not.toContain('canary')
    expect(code).toBe(2)
  })
})
