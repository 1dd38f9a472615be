import { describe, expect, it } from 'vitest'
import { readCall } from '../../src/policy/call.ts'
import { readCatalogue } from '../../src/policy/catalogue.ts'
import { permissionsFor } from '../../src/policy/grant.ts'
import { readPurposes } from '../../src/policy/purposes.ts'
import { files, parse } from './world.ts'

const TOOL = `
name: orders.read
title: One statement on the orders
target: orders
connector: postgres-exact
groups: [orders]
risk: low
sender_constraint: proxy
arguments:
  type: object
  required: [statement]
  properties:
    statement: { type: string, maxLength: 2000 }
facts: { kind: sql, from: statement }
grant:
  roles: { public.orders: { read: orders_read } }
  read_only: always
  statement_timeout_ms: 5000
`
const declared = (change: (text: string) => string = (text) => text) =>
  readCatalogue({ ...files, 'tools/orders.read.yaml': change(TOOL) }, parse)
const { purposes } = readPurposes(files)

describe('what an allow gives for one statement', () => {
  it('is the roles that it needs, and which argument it is; never its text', () => {
    const { catalogue, findings } = declared()
    expect(findings).toEqual([])
    const args = { statement: 'select id from orders' }
    const ask = { tool: 'orders.read', arguments: args, purpose: 'support.refunds' }
    expect(permissionsFor(readCall(catalogue, purposes, ask))).toEqual({
      ok: true,
      permissions: {
        ...{ roles: ['orders_read'], read_only: true, statement_timeout_ms: 5000 },
        ...{ connection_limit: 1, statement: 'statement' },
      },
    })
  })

  it.each([
    ['facts that are no SQL', /facts:.*/, 'facts: { kind: arguments, fields: {} }'],
    ['a login to hand out', 'sender_constraint: proxy', 'sender_constraint: none'],
  ])('is not declared with %s', (_what, from, to) => {
    expect(declared((text) => text.replace(from, to)).findings).not.toEqual([])
  })
})
