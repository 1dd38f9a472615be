import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
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
  reports:
    connector: aws-sts
    role_arn: arn:aws:iam::123456789012:role/reports
    region: eu-west-1
    external_id: ours-1
    kill_switch: role_policy
`

function trusting(): Record<string, string> {
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

  it.each([
    ['reports', '', 'needs --principal'],
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
