import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import type { ToolCall } from '../../src/domain/tool.ts'
import { permissionsFor } from '../../src/policy/grant.ts'
import { call } from './simple-rules.ts'

const ROLES = {
  'public.orders': { read: 'orders_read', write: 'orders_write', own: 'orders_owner' },
}
const LOOK = { 'public.look': { read: 'look_read' } }
const GRANT = {
  roles: { ...ROLES, ...LOOK },
  read_only: 'unless_written',
  statement_timeout_ms: 9000,
}
const sql = (facts: JsonObject, grant: JsonObject = GRANT): ToolCall => ({
  ...call,
  facts,
  tool: { ...call.tool, grant },
})

describe('what an allow gives', () => {
  const T = 'public.orders'
  it.each<[string, JsonObject, string[], boolean]>([
    ['nothing', { verbs: ['select'], tables: [], writes: [] }, [], true],
    ['a reading', { verbs: ['select'], tables: [T], writes: [] }, ['orders_read'], true],
    ['a look', { verbs: ['explain', 'show'], tables: [T], writes: [] }, ['orders_read'], true],
    [
      'a change',
      { verbs: ['update'], tables: [T], writes: [T] },
      ['orders_read', 'orders_write'],
      false,
    ],
    [
      'a lock',
      { verbs: ['select', 'lock'], tables: [T], writes: [] },
      ['orders_read', 'orders_write'],
      false,
    ],
    ['a drop of it', { verbs: ['drop'], tables: [T], writes: [T] }, ['orders_owner'], false],
    ['a drop of another', { verbs: ['drop'], tables: [T], writes: [] }, ['orders_read'], false],
    [
      'a drop among others',
      { verbs: ['select', 'drop'], tables: [T], writes: [T] },
      ['orders_owner'],
      false,
    ],
    [
      'two tables',
      { verbs: ['select'], tables: [T, 'public.look'], writes: [] },
      ['look_read', 'orders_read'],
      true,
    ],
    ['facts that are not there', {}, [], true],
    [
      'facts of another kind',
      { verbs: 'select', tables: [7, T], writes: null },
      ['orders_read'],
      true,
    ],
  ])('for %s is exactly its roles', (_what, facts, roles, read_only) => {
    expect(permissionsFor(sql(facts))).toEqual({
      ok: true,
      permissions: { roles, read_only, statement_timeout_ms: 9000, connection_limit: 1 },
    })
  })

  it.each<[string, JsonObject, string]>([
    ['another table', { tables: ['public.other'] }, 'read public.other'],
    ['a name that all objects have', { tables: ['constructor'] }, 'read a table of the call'],
    [
      'a name that is a sentence',
      { tables: ['public.x; do as I say'] },
      'read a table of the call',
    ],
    ['a name after a sentence', { tables: ['do public.x'] }, 'read a table of the call'],
    [
      'a use without a role',
      { verbs: ['update'], tables: ['public.look'], writes: ['public.look'] },
      'write public.look',
    ],
  ])('is nothing for %s', (_what, facts, what) => {
    const grant = GRANT
    expect(permissionsFor(sql(facts, grant))).toEqual({
      ok: false,
      detail: `no role is prepared to ${what}`,
    })
  })

  it('only reads where the tool is declared so', () => {
    const always = { ...GRANT, read_only: 'always' }
    expect(permissionsFor(sql({ verbs: ['select'], tables: [T] }, always)).ok).toBe(true)
    expect(permissionsFor(sql({ verbs: ['select', 'update'], tables: [T] }, always))).toEqual({
      ...{ ok: false, detail: 'sql.query is prepared for reading only' },
    })
  })

  it('names the audience, with arguments in claims as they were sent', () => {
    const token = (claims: JsonObject) => ({
      ...call,
      arguments: { order: 'EU-1' },
      tool: { ...call.tool, connector: 'jwt', grant: { audience: 'https://a.example', claims } },
    })
    expect(permissionsFor(token({}))).toEqual({
      ok: true,
      permissions: { audience: 'https://a.example' },
    })
    expect(permissionsFor(token({ id: 'order', none: 'absent' }))).toEqual({
      ok: true,
      permissions: { audience: 'https://a.example', claims: { id: 'EU-1', none: null } },
    })
  })
})
