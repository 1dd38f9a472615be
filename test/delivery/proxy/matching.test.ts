import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Permissions } from '../../../src/delivery/connectors/http/settings.ts'
import { sameCall } from '../../../src/delivery/proxy/matching.ts'
import { digestOf } from '../../../src/domain/digest.ts'
import { queryOf } from '../../../src/domain/http-path.ts'
import { canonical, type JsonObject } from '../../../src/domain/json.ts'

const BODY = { text: 'one', tags: ['a', 'b'], deep: { n: 1 } }
const decided: Permissions = {
  ...{ method: 'POST', template: '/v1/things/{name}', path: '/v1/things/red' },
  ...{ query: { view: 'all', q: 'a b' }, body_sha256: digestOf(BODY), headers: {} },
}
const presented = {
  ...{ method: 'POST', path: '/v1/things/red', query: 'view=all&q=a+b' },
  body: Buffer.from(canonical(BODY)),
}

describe('a call as it is presented', () => {
  it.each([
    ['as it is written', presented],
    ['in another order', { ...presented, query: 'q=a%20b&view=all' }],
    ['escaped otherwise', { ...presented, query: 'q=%61%20b&vi%65w=all' }],
    [
      'with a body in another spelling',
      {
        ...presented,
        body: Buffer.from('{"deep":{"n":1.0},"tags":["a" ,"b"],"text":"\\u006fne"}'),
      },
    ],
  ])('is the one that was decided, %s', (_how, call) => {
    expect(sameCall(call, decided)).toEqual({ body: BODY })
  })

  it.each([
    ['another method', { method: 'PUT' }],
    ['a method in lower case', { method: 'post' }],
    ['another path', { path: '/v1/things/redder' }],
    ['a parameter less', { query: 'view=all' }],
    ['a parameter more', { query: 'view=all&q=a+b&x=' }],
    ['a parameter twice', { query: 'view=all&view=all&q=a+b' }],
    ['another value', { query: 'view=any&q=a+b' }],
    ['a name of the prototype', { query: 'view=all&constructor=a+b' }],
    ['an empty pair', { query: 'view=all&q=a+b&' }],
    ['no query', { query: '' }],
    ['an escape that is none', { query: 'view=all&q=%' }],
    ['no body', { body: Buffer.from('') }],
    ['another body', { body: Buffer.from('{"text":"two","tags":["a","b"],"deep":{"n":1}}') }],
    [
      'a list in another order',
      { body: Buffer.from('{"text":"one","tags":["b","a"],"deep":{"n":1}}') },
    ],
    [
      'a member more',
      { body: Buffer.from('{"text":"one","tags":["a","b"],"deep":{"n":1},"x":1}') },
    ],
    [
      'a member twice',
      { body: Buffer.from('{"text":"two","text":"one","tags":["a","b"],"deep":{"n":1}}') },
    ],
    ['two values', { body: Buffer.from(`${canonical(BODY)}{}`) }],
    ['a body that is no JSON', { body: Buffer.from('text=one') }],
    ['a body that is no UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }],
  ])('is another with %s', (_what, change) => {
    expect(sameCall({ ...presented, ...change }, decided)).toBeNull()
  })

  it('has no body where none was decided', () => {
    const bodyless = { ...decided, body_sha256: null }
    expect(sameCall({ ...presented, body: Buffer.from('') }, bodyless)).toEqual({ body: null })
    expect(sameCall(presented, bodyless)).toBeNull()
    expect(sameCall({ ...presented, body: Buffer.from('{}') }, bodyless)).toBeNull()
  })

  it('is the one that was decided for equal values only', () => {
    const values = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { maxKeys: 4 })
    fc.assert(
      fc.property(values, values, fc.jsonValue(), (query, other, value) => {
        const body = { value } as JsonObject
        fc.pre(!JSON.stringify(body).includes('-0') && !JSON.stringify(body).includes('"__'))
        const permissions = { ...decided, query, body_sha256: digestOf(body) }
        const call = { ...presented, body: Buffer.from(JSON.stringify(body)) }
        const one = sameCall({ ...call, query: queryOf(query) }, permissions)
        // What the strict reader refuses is the same call for nobody.
        if (one !== null) expect(canonical(one.body)).toBe(canonical(body))
        if (queryOf(query) === queryOf(other)) return
        expect(sameCall({ ...call, query: queryOf(other) }, permissions)).toBeNull()
      }),
      { numRuns: 200 },
    )
  })
})
