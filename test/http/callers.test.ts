import { describe, expect, it } from 'vitest'
import { filled, type Operation, operations } from '../fakes/contract.ts'
import { aFront, HEADERS, serving } from '../fakes/front.ts'

type Caller = 'agent' | 'person' | 'service'
const WHO: Readonly<Record<string, Caller>> = {
  ...{ session: 'agent', proof: 'agent', person: 'person', service: 'service' },
}
const CREDENTIALS = { agent: HEADERS.agent, person: HEADERS.sponsor, service: HEADERS.service }

/** Whom the contract lets in; nobody in particular at /oauth/*, where the form says who calls. */
const callersOf = ({ security }: Operation) =>
  new Set(security.flatMap((it) => Object.keys(it)).flatMap((name) => WHO[name] ?? []))

const guarded = operations().filter(({ security }) => security.length > 0)
const native = guarded.filter(({ path }) => !path.startsWith('/oauth/'))
const named = (some: readonly Operation[]) =>
  some.map((it) => [`${it.method} ${it.path}`, it] as const)

/** A body that would do, so that nothing but the caller is wrong. */
function send({ method, path, request }: Operation, headers: Readonly<Record<string, string>>) {
  const type = request === null ? {} : { 'content-type': request.media }
  const body = request === null ? {} : { body: bodyOf(request) }
  return serving(aFront(), ({ call }) =>
    call(method, filled(path, 'x'), { headers: { ...type, ...headers }, ...body }),
  )
}

function bodyOf({ media, example }: NonNullable<Operation['request']>): string {
  if (media === 'application/json') return JSON.stringify(example)
  return new URLSearchParams(example as Record<string, string>).toString()
}

describe('every route of the contract [ADM-01]', () => {
  it.each(named(guarded))('%s refuses a call without credentials', async (_name, operation) => {
    const { status, body } = await send(operation, {})
    const expected = operation.path === '/oauth/token' ? 400 : 401
    const told = operation.method === 'HEAD' ? 'undefined' : 'string'
    expect([status, typeof body['code']]).toEqual([expected, told])
  })

  it.each(named(native))('%s refuses the credentials of other faces', async (_name, operation) => {
    const others = (['agent', 'person', 'service'] as const).filter(
      (caller) => !callersOf(operation).has(caller),
    )
    expect(others.length).toBeGreaterThan(0)
    for (const other of others) {
      expect((await send(operation, CREDENTIALS[other])).status, other).toBe(401)
    }
  })

  it.each(named(native.filter((it) => callersOf(it).has('person'))))(
    '%s refuses a person without the role',
    async (_name, operation) => {
      const { status, body } = await send(operation, HEADERS.nobody)
      expect([status, body['code']]).toEqual([403, 'role_required'])
    },
  )
})
