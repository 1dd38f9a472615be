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

  it.each([
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
