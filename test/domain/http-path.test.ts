import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalPath,
  escaped,
  fill,
  isTemplate,
  matches,
  namesIn,
  queryOf,
} from '../../src/domain/http-path.ts'

const TEMPLATE = '/v1/things/{name}/notes/{id}'
const filled = (name: string, id: string) => fill(TEMPLATE, (it) => ({ name, id })[it])

describe('a template of a path', () => {
  it.each(['/', '/v1', '/v1/things/{name}', '/{a}/{b}', '/v1/x:cancel', '/@me/~x'])(
    'is %s',
    (text) => {
      expect(isTemplate(text)).toBe(true)
    },
  )

  it.each([
    ...[
      '',
      'v1',
      '/v1/',
      '//v1',
      '/v1//x',
      '/../x',
      '/./x',
      '/v1/..',
      '/v1/%2e',
      '/v1/a{b}',
      '/{}',
    ],
    ...['/v1?x', '/v1#x', '/v1/{a b}', '/v1\\x', '/é', '/v1;x=y', '/{a', '/v1/*', 'https://x/y'],
  ])('is not %j', (text) => {
    expect(isTemplate(text)).toBe(false)
  })

  it('names what is to be filled in', () => {
    expect(namesIn(TEMPLATE)).toEqual(['name', 'id'])
  })
})

describe('a path filled in', () => {
  it('has each value as one part, escaped, and matches', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (name, id) => {
        const path = filled(name, id)
        if (path === null) return
        const parts = path.split('/')
        expect(parts).toHaveLength(6)
        expect([parts[3], parts[5]].map((part) => decodeURIComponent(part ?? ''))).toEqual([
          name,
          id,
        ])
        expect(path).toMatch(/^[A-Za-z0-9._~:@%/-]+$/)
        expect(matches(TEMPLATE, path)).toBe(true)
        expect(canonicalPath(path)).toBe(path)
        // As any parser of addresses reads it: nothing is resolved, nothing is another path.
        expect(new URL(`https://api.example${path}`).pathname).toBe(path)
      }),
      { numRuns: 300 },
    )
  })

  it('is another path for other values', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.string(), fc.string()),
        fc.tuple(fc.string(), fc.string()),
        (a, b) => {
          const [one, other] = [filled(...a), filled(...b)]
          if (one !== null) expect(one === other).toBe(a[0] === b[0] && a[1] === b[1])
        },
      ),
      { numRuns: 300 },
    )
  })

  it.each([
    ...['', '.', '..', 'a/b', '/', '\\', 'a\\b', 'a\0', '\r', '\n', '\t', '\u007f', '\u0085'],
    ...['%2e', '%2F', 'a%00', '%2E%2e', '\ud800'],
  ])('is none with the value %j', (name) => {
    expect(filled(name, 'x')).toBeNull()
  })

  it.each(['a b', 'é', '...', 'a.b', '100%', 'a+b', "it's", '(x)', 'a:b@c', '😀', ';x=y', '?q#f'])(
    'is one with the value %j',
    (name) => {
      expect(matches(TEMPLATE, filled(name, 'x') ?? '')).toBe(true)
    },
  )
})

describe('a path as it is presented', () => {
  it('has one spelling, however a client has escaped it', () => {
    expect(canonicalPath("/v1/it's%20%41%c3%a9/a%3Ab")).toBe('/v1/it%27s%20A%C3%A9/a:b')
  })

  it.each([
    'v1',
    '/v1/',
    '/v1//x',
    '/v1/%2e%2e/x',
    '/v1/a%2Fb',
    '/v1/a%5Cb',
    '/v1/%00',
    '/v1/%ff',
    '/%',
  ])('is none that any template has: %s', (path) => {
    expect(canonicalPath(path)).toBeNull()
    expect(matches('/v1/{name}', path)).toBe(false)
  })

  it.each([
    '/v1/things/a',
    '/v1/things/a/b/c',
    '/v2/things/a/b',
    '/V1/things/a/b',
    '/v1/things/a/b/',
  ])('does not match for being like the template: %s', (path) => {
    expect(matches('/v1/things/{name}/b', path)).toBe(false)
  })
})

describe('a query', () => {
  it('has one spelling: by name, and escaped', () => {
    expect(queryOf({ b: "it's a&b=c", a: 'é+' })).toBe('a=%C3%A9%2B&b=it%27s%20a%26b%3Dc')
    expect(queryOf({})).toBe('')
  })

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.string()), (values) => {
        const read = [...new URLSearchParams(queryOf(values))]
        expect(Object.fromEntries(read)).toEqual({ ...values })
        expect(escaped(Object.keys(values).join(''))).toMatch(/^[A-Za-z0-9._~%-]*$/)
      }),
      { numRuns: 200 },
    )
  })
})
