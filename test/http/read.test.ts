import type { Request, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { newId } from '../../src/domain/ids.ts'
import { BrokerError, type Shown } from '../../src/domain/problems.ts'
import {
  anObject,
  checked,
  idIn,
  idOf,
  read,
  readBy,
  readForm,
  readObject,
  readQuery,
} from '../../src/http/read.ts'

const sent = (body: string | Uint8Array) =>
  ({ locals: { call: { body: Buffer.from(body) } } }) as unknown as Response
const to = (originalUrl: string, params: unknown = {}) =>
  ({ originalUrl, params }) as unknown as Request

/** What a caller is shown of a refusal. */
function refusal(reading: () => unknown): { code: string; shown: Shown } {
  try {
    reading()
  } catch (error) {
    if (error instanceof BrokerError) return { code: error.code, shown: error.shown }
    throw error
  }
  throw new Error('it was read')
}
const rules = (schema: z.ZodType, value: unknown) =>
  refusal(() => checked(schema, value)).shown.errors?.map(
    ({ pointer, rule }) => `${pointer} ${rule}`,
  )

describe('a body', () => {
  it('is the object as sent, or a refusal that says where reading stopped', () => {
    expect(readObject(sent('{"a":[1]}'))).toEqual({ a: [1] })
    expect(read(z.strictObject({ a: z.number() }), sent('{"a":1}'))).toEqual({ a: 1 })
    const { code, shown } = refusal(() => readObject(sent('{"a":1,"a":2}')))
    expect(code).toBe('duplicate_key')
    expect(shown.detail).toMatch(/repeated \(character 10\)/)
  })

  it('that nobody has taken in yet is our mistake, and not the caller’s', () => {
    expect(() => readObject({ locals: {} } as unknown as Response)).toThrow(TypeError)
  })
})

describe('a value of the wrong form', () => {
  it.each<[string, z.ZodType, unknown, string[]]>([
    ['what is not there', z.object({ a: z.string() }), {}, ['/a required']],
    ['another type', z.object({ a: z.string() }), { a: 1 }, ['/a type string']],
    ['a number too big', z.number().max(5), 6, [' at most 5']],
    ['a number too small', z.number().min(5), 4, [' at least 5']],
    ['no word of the list', z.enum(['a', 'b']), 'c', [' one of a, b']],
    ['a text that does not fit', z.string().regex(/^a$/), 'b', [' format regex']],
    ['a rule with a name', anObject, [], [' object']],
    ['a rule without a name', z.string().refine(() => false), 'a', [' valid']],
    ['a rule that has other things to say', z.custom(() => false, { params: {} }), 1, [' valid']],
    ['a rule of some other kind', z.number().multipleOf(5), 4, [' valid']],
    ['a wrong id', idOf('agt'), 'agt_1', [' agt_id']],
    ['no id at all', idOf('agt'), 7, [' agt_id']],
    [
      'members nobody knows',
      z.strictObject({}),
      { b: 1, 'a/~': 2 },
      ['/b unknown', '/a~1~0 unknown'],
    ],
    ['one inside', z.object({ a: z.array(z.string()) }), { a: ['x', 1] }, ['/a/1 type string']],
  ])('[ARG-10] is told by its place and its rule: %s', (_what, schema, value, errors) => {
    expect(rules(schema, value)).toEqual(errors)
  })

  it('[ARG-10] is told 20 times at most, with 200 characters of its place at most', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`m${String(at)}`, 1]))
    expect(rules(z.strictObject({}), many)).toHaveLength(20)
    const [long] = rules(z.strictObject({}), { ['x'.repeat(500)]: 1 }) ?? []
    expect(long).toBe(`/${'x'.repeat(199)} unknown`)
  })

  it('is told at the place where the domain stopped reading', () => {
    const schema = z.object({
      a: readBy((value) =>
        value === 'good'
          ? { ok: true, value: 'read' }
          : { ok: false, pointer: '/0/key', rule: 'known' },
      ),
    })
    expect(checked(schema, { a: 'good' })).toEqual({ a: 'read' })
    expect(rules(schema, { a: 'bad' })).toEqual(['/a/0/key known'])
  })
})

describe('a query', () => {
  const schema = z.strictObject({ limit: z.string(), after: z.string().optional() })

  it('is what follows the path, each parameter by its name', () => {
    expect(readQuery(schema, to('/v1/things?limit=5&after=a%20b'))).toEqual({
      limit: '5',
      after: 'a b',
    })
    expect(readQuery(z.strictObject({}), to('/v1/things'))).toEqual({})
  })

  it('is refused for a parameter that nobody knows', () => {
    const { code, shown } = refusal(() => readQuery(schema, to('/v1/things?limit=5&x=1')))
    expect([code, shown.errors]).toEqual(['schema_violation', [{ pointer: '/x', rule: 'unknown' }]])
  })
})

describe('a form', () => {
  it('is its parameters, unescaped', () => {
    const form = readForm(sent('a=1+2&&b=x%3Dy=z&c&d=%C3%A9'))
    expect([...form]).toEqual([
      ['a', '1 2'],
      ['b', 'x=y=z'],
      ['c', ''],
      ['d', 'é'],
    ])
    expect([...readForm(sent(''))]).toEqual([])
  })

  it.each<[string, string | Uint8Array, string]>([
    ['a parameter twice', 'a=1&a=2', 'malformed_request'],
    ['a parameter twice, once escaped', 'a=1&%61=2', 'malformed_request'],
    ['octets that are not UTF-8', new Uint8Array([0x61, 0x3d, 0xff]), 'bad_encoding'],
    ['an escape that is not UTF-8', 'a=%ff', 'bad_encoding'],
    ['half an escape in a name', 'a%4=1', 'bad_encoding'],
    ['a NUL', 'a=\0', 'bad_encoding'],
    ['a NUL, escaped', 'a=%00', 'bad_encoding'],
  ])('[ARG-08] is refused for %s', (_what, body, code) => {
    expect([...readForm(sent('a=1'))]).toEqual([['a', '1']])
    expect(refusal(() => readForm(sent(body))).code).toBe(code)
  })

  it('keeps a byte-order mark: it is no part of what was meant to be there', () => {
    expect([...readForm(sent('\ufeffa=1')).keys()]).toEqual(['\ufeffa'])
  })

  it('says to the log why it could not be decoded', () => {
    try {
      readForm(sent('a=%ff'))
      expect.unreachable()
    } catch (error) {
      expect((error as Error).cause).toBeInstanceOf(URIError)
    }
  })
})

describe('the id in a path', () => {
  const id = newId('agt', new Date(0))

  it('is one of the right kind, and anything else does not exist', () => {
    expect(idIn(to('/', { id }), 'agt')).toBe(id)
    expect(checked(idOf('agt'), id)).toBe(id)
    for (const other of ['agt_1', newId('con', new Date(0)), undefined, [id]]) {
      expect(refusal(() => idIn(to('/', { id: other }), 'agt')).code).toBe('not_found')
    }
    expect(rules(idOf('agt'), newId('con', new Date(0)))).toEqual([' agt_id'])
  })
})
