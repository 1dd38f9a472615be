import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCall } from '../../src/policy/call.ts'
import { readCatalogue } from '../../src/policy/catalogue.ts'
import { permissionsFor } from '../../src/policy/grant.ts'
import { readPurposes } from '../../src/policy/purposes.ts'
import { files, parse } from './world.ts'

const TOOL = `
name: cluster.token
title: A token for one namespace of the cluster
target: vault
connector: vault
groups: [cluster]
risk: high
sender_constraint: none
ttl_seconds: { default: 60, max: 60 }
arguments:
  type: object
  required: [namespace, admin]
  properties:
    namespace: { type: string, maxLength: 200 }
    admin: { type: boolean }
    note: { type: string, maxLength: 20 }
facts: { kind: arguments, fields: { namespace: namespace } }
grant:
  path: kubernetes/creds/reader
  method: write
  data: { kubernetes_namespace: namespace, cluster_role_binding: admin }
  fixed: { audiences: internal }
  ttl_field: ttl
`
const declared = (change: (text: string) => string = (text) => text) =>
  readCatalogue({ ...files, 'tools/cluster.token.yaml': change(TOOL) }, parse)
const { catalogue } = declared()
const { purposes } = readPurposes(files)

describe('what an allow gives at Vault', () => {
  it('[DEL-16] is the declared path, with arguments as values of the data and nowhere else', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 100 }),
      fc.constantFrom('../sys/policies', '%2e%2e/', '"},"path":"sys/seal', 'x?y#z'),
    )
    fc.assert(
      fc.property(text, fc.boolean(), (namespace, admin) => {
        const args = { namespace, admin }
        const ask = { tool: 'cluster.token', arguments: args, purpose: 'support.refunds' }
        expect(permissionsFor(readCall(catalogue, purposes, ask))).toEqual({
          ok: true,
          permissions: {
            ...{ path: 'kubernetes/creds/reader', method: 'write', ttl_field: 'ttl', wrap: false },
            data: {
              ...{ kubernetes_namespace: namespace, cluster_role_binding: admin },
              audiences: 'internal',
            },
          },
        })
      }),
      { numRuns: 100 },
    )
  })

  it.each([
    ['goes up', 'kubernetes/creds/reader', 'kubernetes/../sys/policies'],
    ['is encoded', 'kubernetes/creds/reader', 'kubernetes/%2e%2e/sys'],
    ["is Vault's own", 'kubernetes/creds/reader', 'sys/policies/acl'],
    ['begins anywhere', 'kubernetes/creds/reader', '/kubernetes/creds/reader'],
    ['has an argument in it', 'creds/reader', 'creds/{namespace}'],
    ['is read with data', 'method: write', 'method: read'],
    ['takes what may be absent', 'kubernetes_namespace: namespace', 'x: note'],
    ['names a member twice', 'ttl_field: ttl', 'ttl_field: audiences'],
    ['is bound to a key', 'sender_constraint: none', 'sender_constraint: dpop'],
  ])('is not declared where it %s', (_what, from, to) => {
    expect(declared().findings).toEqual([])
    expect(TOOL).toContain(from)
    expect(declared((text) => text.replace(from, to)).findings).not.toEqual([])
  })
})
