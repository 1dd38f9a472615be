/** Every route of the contract, and who is not let in: a new route is covered the day it appears. */
import { expect } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { ROLES } from '../../src/domain/person.ts'
import { filled, type Operation, operations, type Parameter } from '../fakes/contract.ts'
import type { World } from './house.ts'
import { line } from './pair.ts'
import { type Answer, exchange, type HeaderLine, type Sending } from './wire.ts'

// An answer to HEAD has no body to look at; its routes are those of GET.
const all = operations().filter(({ method }) => method !== 'HEAD')
const guarded = all.filter(({ security }) => security.length > 0)
const native = guarded.filter(({ path }) => !path.startsWith('/oauth/'))
const lets = (scheme: string) => (it: Operation) => it.security.some((one) => scheme in one)
const forPeople = native.filter(lets('person'))
const named = ({ method, path }: Operation) => `${method} ${path}`

/** As the contract's example has it, so that nothing but the caller is wrong. */
async function call(w: World, { method, path, request }: Operation, headers: HeaderLine[] = []) {
  const body = request === null ? '' : encoded(request)
  const type: HeaderLine[] = request === null ? [] : [['Content-Type', request.media]]
  return await w.send({ method, path: filled(path, 'x'), headers: [...type, ...headers], body })
}

function encoded({ media, example }: NonNullable<Operation['request']>): string {
  if (media === 'application/json') return JSON.stringify(example)
  return new URLSearchParams(example as Record<string, string>).toString()
}

const bearer = (token: string): HeaderLine[] => [['Authorization', `Bearer ${token}`]]

/** Everybody there is, with credentials that their own face takes. */
const CALLERS: Readonly<Record<string, (w: World, it: Operation) => Promise<Answer>>> = {
  session: async (w, it) => {
    const body = it.request === null ? '' : encoded(it.request)
    return await w.asAgent(w.agent, it.method, filled(it.path, 'x'), { body })
  },
  person: (w, it) => call(w, it, bearer(w.PT('kim'))),
  service: (w, it) => call(w, it, bearer(w.SA())),
}

line('[ADM-01] nobody is let in without credentials', async (w) => {
  expect(guarded.length).toBeGreaterThan(20)
  for (const it of guarded) {
    // Who calls /oauth/token is in the form: without that the form is wrong.
    const status = it.path === '/oauth/token' ? 400 : 401
    await w.refused(call(w, { ...it, request: withoutAssertion(it) }), { status })
  }
})

function withoutAssertion({ path, request }: Operation): Operation['request'] {
  if (request === null || !path.startsWith('/oauth/')) return request
  const rest = Object.entries(request.example as JsonObject).filter(
    ([name]) => !name.startsWith('client_'),
  )
  return { ...request, example: Object.fromEntries(rest) }
}

for (const [who, as] of Object.entries(CALLERS)) {
  line(`[ADM-01] the credentials of a ${who} open no other face`, async (w) => {
    const others = native.filter((it) => !lets(who)(it))
    expect(others.length).toBeGreaterThan(5)
    for (const it of others) await w.refused(as(w, it), { status: 401 })
  })
}

line(
  '[ADM-01] an agent writes nothing that steers: every write of people and services is 401',
  async (w) => {
    const writes = native.filter((it) => it.method !== 'GET' && !lets('session')(it))
    expect(writes.map(named)).toEqual(
      expect.arrayContaining(['POST /v1/consents', 'POST /v1/approvals/{id}/decision']),
    )
    const st = await w.ST(w.agent)
    for (const it of writes) {
      for (const scheme of ['DPoP', 'Bearer', 'bearer']) {
        await w.refused(call(w, it, [['Authorization', `${scheme} ${st}`]]), { status: 401 })
      }
    }
  },
)

line(
  '[ADM-01] a role that is too low is 403, route by route and role by role as the contract says',
  async (w) => {
    expect(forPeople.length).toBeGreaterThan(10)
    for (const it of forPeople) {
      const wanted = rolesIn(it)
      expect(wanted.length, named(it)).toBeGreaterThan(0)
      const none = w.PT('kim', { claims: { roles: ['admin', 'root', ''] } })
      await w.refused(call(w, it, bearer(none)), { status: 403, code: 'role_required' })
      for (const role of ROLES) {
        const { status, body } = await call(
          w,
          it,
          bearer(w.PT('kim', { claims: { roles: [role] } })),
        )
        const isRefused = status === 403 && body['code'] === 'role_required'
        expect(isRefused, `${named(it)} as ${role}: ${String(status)}`).toBe(!wanted.includes(role))
      }
    }
  },
)

/** `Roles: sponsor (own), operator.` */
function rolesIn({ description }: Operation): string[] {
  const [, list = ''] = /Roles?: ([^.]*)\./.exec(description) ?? []
  return list.split(', ').map((it) => it.replace(/ \(own\)$/, ''))
}

line(
  '[ADM-01] another method is 405, and says which there are',
  async (w) => {
    for (const path of new Set(all.map((it) => it.path))) {
      const has = all.filter((it) => it.path === path).map(({ method }) => method)
      for (const method of METHODS.filter((it) => !has.includes(it))) {
        const answer = await sendTo(w, { method, path: filled(path, 'x') })
        expect(codeIn(answer), `${method} ${path}`).toBe('405 method_not_allowed')
        expect(answer.headers.get('allow')?.split(', ')).toEqual(expect.arrayContaining(has))
      }
    }
  },
  { isCounted: false },
)
const METHODS = ['PUT', 'PATCH', 'DELETE', 'POST', 'GET', 'OPTIONS', 'TRACE']

/** Where nobody is asked who they are, refusals are counted and not recorded. */
const sendTo = (w: World, sending: Sending) =>
  /^\/(v1|oauth|access)\//.test(sending.path)
    ? w.send(sending)
    : exchange(w.brokers[0].port, sending)

const codeIn = ({ status, body }: Answer) => `${String(status)} ${body['code'] as string}`

line(
  '[ADM-04] a filter or limit that is not one is 422, in every list, and never reaches a query',
  async (w) => {
    const asked = all.flatMap((it) =>
      it.parameters.filter((one) => one.in === 'query').map((one) => [it, one] as const),
    )
    expect(asked.length).toBeGreaterThan(15)
    for (const [it, parameter] of asked) {
      for (const value of wrongFor(parameter)) {
        const where = `${named(it)} ${parameter.name}=${value}`
        const path = `${filled(it.path, idFor(it))}?${parameter.name}=${encodeURIComponent(value)}`
        const all = w.PT('kim', { claims: { roles: [...ROLES] } })
        const body = it.request === null ? '' : encoded(it.request)
        const answer = lets('person')(it)
          ? await w.asBearer(all, it.method, path, { body })
          : await w.asAgent(w.agent, it.method, path, { body })
        expect(WRONG, `${where}: ${answer.text}`).toContain(codeIn(answer))
        expect(answer.text).not.toContain('DROP')
      }
    }
  },
)
const WRONG = ['422 schema_violation', '400 invalid_cursor', '422 invalid_cursor']
const HOSTILE = [
  'id;DROP TABLE procura.consent',
  `' or 1=1 --`,
  '-1',
  '1e3',
  '0x10',
  '١',
  '',
  ' 1',
  '1.5',
  '99999999999999999999',
]

function wrongFor({ schema }: Parameter): string[] {
  const { maximum } = schema as { maximum?: number }
  return maximum === undefined ? HOSTILE : [...HOSTILE, String(maximum + 1)]
}
const idFor = ({ path }: Operation) => `${/^\/v1\/(\w\w)/.exec(path)?.[1] ?? ''}x`

line(
  '[ADM-05] nobody gives himself a role: it comes from the issuer, and no write takes one',
  async (w) => {
    for (const it of forPeople.filter(({ request }) => request !== null)) {
      const example = it.request?.example as JsonObject
      for (const member of ['roles', 'role', 'groups', 'person']) {
        const request = {
          media: 'application/json',
          example: { ...example, [member]: ['sponsor', 'approver'] },
        }
        const token = w.PT('kim', { claims: { roles: [...ROLES] } })
        await w.refused(call(w, { ...it, request }, bearer(token)), {
          status: 422,
          code: 'schema_violation',
        })
      }
    }
    await w.refused(w.CO({}, { token: w.PT('lee') }), { status: 403, code: 'role_required' })
    const roles = await w.database.query(`select roles from procura.person where subject = 'lee'`)
    expect(roles).toEqual([{ roles: ['auditor', 'operator'] }])
  },
)

line(
  '[ADM-08] nothing is edited, so that nobody writes over another: what changes is withdrawn and made anew',
  async (w) => {
    // What is called through us is edited there, or not.
    const ours = all.filter(({ path }) => !path.startsWith('/v1/proxy/'))
    expect(ours.filter(({ method }) => !['GET', 'POST', 'DELETE'].includes(method))).toEqual([])
    const path = `/v1/consents/${w.agent.consent}`
    for (const method of ['PUT', 'PATCH']) {
      const body = { max_uses: 9999 }
      const answer = await w.asBearer(w.PT('kim'), method, path, { body })
      expect(codeIn(answer)).toBe('405 method_not_allowed')
    }
  },
)
