import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/domain/digest.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { questionOf } from '../../src/domain/question.ts'
import { readCall } from '../../src/policy/call.ts'
import { readCatalogue } from '../../src/policy/catalogue.ts'
import { decide } from '../../src/policy/decide.ts'
import { permissionsFor } from '../../src/policy/grant.ts'
import { cedarSchema } from '../../src/policy/schema.ts'
import { aChain, files, inForce, parse } from './world.ts'

const text = { type: 'string' }
const GRANT = {
  method: 'POST',
  path: '/v1/issues/{number}/comments',
  query: { notify: 'notify' },
  body: { text: 'text', tags: 'tags' },
  headers: { 'x-version': '3' },
}
const TOOL = {
  ...{ name: 'issues.comment', title: 'Comment on an issue', target: 'issues', groups: ['apis'] },
  ...{ connector: 'http', sender_constraint: 'proxy', risk: 'low' },
  arguments: {
    type: 'object',
    required: ['number', 'notify', 'text'],
    properties: {
      number: text,
      notify: { type: 'boolean' },
      text,
      tags: { type: 'array', items: text },
    },
  },
  facts: { kind: 'http', fields: { text: 'text' } },
  grant: GRANT,
}
const RULES = `@id("issues-are-commented-on")
permit (principal, action == Action::"issues.comment", resource in ToolGroup::"apis")
when { context.sender_constraint == "proxy" && context.facts.path like "/v1/issues/*/comments" };
`
const withTool = (of: JsonObject = {}) => ({
  ...files,
  'tools/issues.comment.yaml': JSON.stringify({ ...TOOL, ...of }),
})
const { catalogue } = readCatalogue(withTool(), parse)
const ARGS = { number: 'A 7', notify: true, text: 'Fine.', tags: ['a'] }
const read = (args: JsonObject) =>
  readCall(catalogue, new Set(['reporting']) as never, { tool: 'issues.comment', arguments: args })

const findings = (of: JsonObject) =>
  readCatalogue(withTool(of), parse).findings.map(({ what }) => what)
const grantFindings = (of: object) => findings({ grant: { ...GRANT, ...of } })

describe('a call of an API', () => {
  it('comes to one request, written out; of its body only the digest is given', async () => {
    const set = await inForce({ ...withTool(), 'issues.cedar': RULES })
    const chain = aChain({ effective: { scopes: ['issues.*'] } })
    const { answer, grant } = decide(set, chain, questionOf(chain, read(ARGS), null))
    expect(answer.kind).toBe('allow')
    expect(grant?.permissions).toEqual({
      ...{ method: 'POST', template: GRANT.path, path: '/v1/issues/A%207/comments' },
      ...{ query: { notify: 'true' }, headers: { 'x-version': '3' } },
      body_sha256: digestOf({ text: 'Fine.', tags: ['a'] }),
    })
    expect(JSON.stringify(grant)).not.toContain('Fine.')
  })

  it('leaves out of the body what was not said', () => {
    const { number, notify, text } = ARGS
    const granting = permissionsFor(read({ number, notify, text }))
    expect(granting).toMatchObject({ ok: true, digests: { body_sha256: { text: 'Fine.' } } })
  })

  it.each(['', '.', '..', 'a/b', 'a\\b', '%2e%2e', 'x'.repeat(6001)])(
    'is given nothing where its path would mean more than one thing, or be too long: %j',
    (number) => {
      const call = read({ ...ARGS, number })
      expect(permissionsFor(call)).toMatchObject({ ok: false })
      expect(call.facts['path']).toBe('')
    },
  )

  it('has its method, its path and the names in its query as facts, beside those that are arguments', () => {
    expect(read(ARGS).facts).toEqual({
      ...{ method: 'POST', path: '/v1/issues/A%207/comments', query_names: ['notify'] },
      text: 'Fine.',
    })
    expect(cedarSchema(catalogue).text).toContain(
      'facts: { text: String, method: String, path: String, query_names: Set<String> }',
    )
  })
})

describe('the declaration of a call', () => {
  it('is as the other one is, without a mistake', () => {
    expect(findings({})).toEqual([])
  })

  it.each([
    ['an argument that is optional in the path', { path: '/v1/{tags}' }, 'the argument tags'],
    ['an argument that is a list in the query', { query: { q: 'tags' } }, 'the argument tags'],
    ['an argument that there is not', { body: { text: 'texts' } }, 'texts'],
    ['a body where there is none', { method: 'GET' }, 'has no body'],
    ['another method', { method: 'CONNECT' }, 'grant.method'],
    ['a path that leads up', { path: '/v1/../x' }, 'grant.path'],
    ['no path, below which the call would be', { path: '/' }, 'grant.path'],
    ['an address for a path', { path: 'https://x/y' }, 'grant.path'],
    ['a header that says who calls', { headers: { authorization: 'x' } }, 'grant.headers'],
    ['a header that frames the message', { headers: { 'content-length': '3' } }, 'grant.headers'],
    ['another method in a header', { headers: { 'x-http-method-override': 'x' } }, 'grant.headers'],
    ['a header of two lines', { headers: { 'x-a': 'a\r\nx-b: c' } }, 'grant.headers'],
  ])('is refused with %s', (_what, of, said) => {
    expect(grantFindings(of).join('\n')).toContain(said)
  })

  it('is refused bound in another way, and its facts with another connector', () => {
    expect(findings({ sender_constraint: 'none' }).join()).toContain('say proxy')
    const jwt = {
      connector: 'jwt',
      sender_constraint: 'dpop',
      grant: { audience: 'https://x.example' },
    }
    expect(findings(jwt).join()).toContain('facts of kind http')
  })
})
