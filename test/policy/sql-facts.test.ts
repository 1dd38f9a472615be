import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sqlFacts } from '../../src/policy/facts/sql.ts'
import { loadGrammar } from '../../src/policy/grammar.ts'

const parse = await loadGrammar()
const reading = { defaultSchema: 'public', functions: new Set(['reports.total']) }
const facts = (sql: string) => sqlFacts(sql, parse, reading)

describe('the facts of an SQL text', () => {
  it.each([
    ['select * from orders', 'select', 'public.orders', ''],
    ['table s.orders', 'select', 's.orders', ''],
    ['select 1', 'select', '', ''],
    [
      'select o.x from orders o, lateral (select y from b where b.i = o.i) q',
      'select',
      'public.b public.orders',
      '',
    ],
    ['insert into a select * from b', 'insert select', 'public.a public.b', 'public.a'],
    ['update a set x = 1 from b', 'update', 'public.a public.b', 'public.a'],
    ['delete from a using b', 'delete', 'public.a public.b', 'public.a'],
    [
      'merge into a using b on a.i = b.i when matched then delete',
      'merge',
      'public.a public.b',
      'public.a',
    ],
    ['select * into new from old', 'create select', 'public.new public.old', 'public.new'],
    [
      'select * into new from old union select 1',
      'create select',
      'public.new public.old',
      'public.new',
    ],
    [
      'create table new as select * from old',
      'create select',
      'public.new public.old',
      'public.new',
    ],
    [
      'create table new (i int references old (i))',
      'create',
      'public.new public.old',
      'public.new',
    ],
    ['create view v as select * from t', 'create select', 'public.t public.v', 'public.v'],
    ['alter table a add column x int', 'alter', 'public.a', 'public.a'],
    ['alter table a rename to b', 'alter', 'public.a', 'public.a'],
    ['drop table a.b, c', 'drop', 'a.b public.c', 'a.b public.c'],
    ['truncate a, b', 'truncate', 'public.a public.b', 'public.a public.b'],
    ['grant select on a to b', 'grant', 'public.a', 'public.a'],
    ['select * from a for update', 'lock select', 'public.a', ''],
    ['lock table a', 'lock', 'public.a', ''],
    ['explain analyze delete from a', 'delete explain', 'public.a', 'public.a'],
    ['prepare p as delete from a', 'delete prepare', 'public.a', 'public.a'],
    ['declare c cursor for select * from a', 'declare select', 'public.a', ''],
    ['copy a to stdout', 'copy select', 'public.a', ''],
    ['copy a from stdin', 'copy insert', 'public.a', 'public.a'],
    ['copy (delete from a returning *) to stdout', 'copy delete select', 'public.a', 'public.a'],
    ['set role postgres', 'set', '', ''],
    ['select * from pg_authid', 'select', 'pg_catalog.pg_authid', ''],
  ])('are complete for %s', (sql, verbs, tables, writes) => {
    const read = facts(sql)
    expect(read).toMatchObject({ opaque: false, statements: 1 })
    expect([read.verbs, read.tables, read.writes].map((set) => set.join(' '))).toEqual([
      verbs,
      tables,
      writes,
    ])
  })

  it.each([
    [
      'a write in a WITH',
      'with gone as (delete from a returning *) select * from gone',
      'delete select',
      'public.a',
    ],
    [
      'one deep inside',
      'select * from x where i in (with w as (update a set i = 1 returning i) select i from w)',
      'select update',
      'public.a public.x',
    ],
    [
      'a name that reads its own table',
      'with a as (select * from a) select * from a',
      'select',
      'public.a',
    ],
    [
      'a name that ends with its part of a UNION',
      '(with a as (select 1) select * from a) union select * from a',
      'select',
      'public.a',
    ],
    [
      'a name that a later one sees',
      'with a as (select 1), b as (select * from a) select * from b',
      'select',
      '',
    ],
    [
      'a name that an earlier one cannot see',
      'with b as (select * from a), a as (select 1) select * from b',
      'select',
      'public.a',
    ],
    [
      'names of a recursive WITH',
      'with recursive a as (select 1 union select * from a) select * from a',
      'select',
      '',
    ],
    [
      'a table of that name, by its schema',
      'with a as (select 1) select * from public.a',
      'select',
      'public.a',
    ],
    [
      'a table of that name that is written',
      'with a as (select 1) insert into a select * from a',
      'insert select',
      'public.a',
    ],
  ])('see %s', (_what, sql, verbs, tables) => {
    const read = facts(sql)
    expect([read.verbs.join(' '), read.tables.join(' '), read.opaque]).toEqual([
      verbs,
      tables,
      false,
    ])
  })

  it.each([
    ['do $$ begin delete from orders; end $$', 'do'],
    ['call f()', 'call'],
    ['execute p', 'execute'],
    ['create function f() returns int language sql as $$ select 1 $$', 'unknown'],
    ['alter system set x = 1', 'unknown'],
    ['listen x', 'unknown'],
    ["copy a to program 'sh'", 'copy select'],
    ["copy a from '/etc/passwd'", 'copy insert'],
    ["select pg_read_file('/etc/passwd')", 'select'],
    ["select set_config('role', 'postgres', false)", 'select'],
    ["select nextval('s')", 'select'],
    ['select evil.lower(x) from a', 'select'],
    ['select 1 operator(evil.+) 2', 'select'],
    ['select x::evil.type from a', 'select'],
    ['select * from a tablesample evil(1)', 'select'],
    ["select * from dblink('x', 'y') as t (i int)", 'select'],
    ['select * from other_database.public.a', 'select'],
    ['select * from "a.b"', 'select'],
    ['alter table a add column x int default evil()', 'alter'],
    ['drop function f', 'drop'],
    ['drop schema s cascade', 'drop'],
    ['grant all on schema public to x', 'grant'],
    ['select 1; do $$ begin end $$', 'do select'],
  ])('are opaque for %s', (sql, verbs) => {
    const read = facts(sql)
    expect([read.opaque, read.verbs.join(' ')]).toEqual([true, verbs])
  })

  it.each([
    ['nothing', ''],
    ['only a semicolon', ';'],
    ['only a comment', '-- select 1'],
    ['what is not SQL', 'give me the orders'],
    ['a NUL, after which the parser would not look', 'select 1\0; drop table orders'],
    ['a lone surrogate', 'select \ud800'],
    ['more than 64 KiB', `select '${'x'.repeat(65_536)}'`],
    [
      'more than 100 tables',
      `select * from ${Array.from({ length: 101 }, (_, n) => `t${String(n)}`).join()}`,
    ],
    ['what is nested deeper than the parser goes', `select ${'1+'.repeat(30_000)}1`],
    ['brackets without an end', `select ${'('.repeat(60_000)}`],
  ])('are unknown for %s', (_what, sql) => {
    expect(facts(sql)).toEqual({
      ...{ verbs: ['unknown'], tables: [], writes: [], functions: [], statements: 0, opaque: true },
    })
  })

  it('accept the functions that the tool calls harmless, and no others', () => {
    expect(facts('select reports.total(1), count(*) from a')).toMatchObject({
      functions: ['count', 'reports.total'],
      opaque: false,
    })
    expect(facts('select total(1)').opaque).toBe(true)
  })

  it('never throw, whatever is sent, and are sorted', () => {
    const words = [
      'select',
      'from',
      'with',
      'a',
      'as',
      '(',
      ')',
      ',',
      'delete',
      'union',
      "'",
      ';',
      '*',
      '$$',
      '--',
    ]
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((some) => some.join(' ')),
    )
    fc.assert(
      fc.property(text, (sql) => {
        const read = facts(sql)
        for (const set of [read.verbs, read.tables, read.writes, read.functions]) {
          expect([...set].sort()).toEqual(set)
        }
        expect(read.verbs.length).toBeGreaterThan(0)
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  it('name every table of a query, however it is joined, nested and named', () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd')
    const source: fc.Arbitrary<{ sql: string; tables: string[] }> = fc.letrec<{
      source: { sql: string; tables: string[] }
    }>((tie) => ({
      source: fc.oneof(
        { maxDepth: 4 },
        name.map((one) => ({ sql: `(select * from s.${one})`, tables: [`s.${one}`] })),
        fc.tuple(tie('source'), tie('source')).map(([left, right]) => ({
          sql: `(select * from ${left.sql} l join ${right.sql} r on true)`,
          tables: [...left.tables, ...right.tables],
        })),
        fc.tuple(name, tie('source'), tie('source')).map(([own, inner, outer]) => ({
          sql: `(with ${own} as ${inner.sql} select * from ${own}, ${outer.sql} o)`,
          tables: [...inner.tables, ...outer.tables],
        })),
        fc.tuple(tie('source'), tie('source')).map(([left, right]) => ({
          sql: `(${left.sql} union ${right.sql})`,
          tables: [...left.tables, ...right.tables],
        })),
      ),
    })).source
    fc.assert(
      fc.property(source, ({ sql, tables }) => {
        expect(facts(sql)).toMatchObject({ tables: [...new Set(tables)].sort(), opaque: false })
      }),
      { numRuns: 100, seed: 7 },
    )
  })
})

describe('the grammar', () => {
  it('[ARG] goes on reading right after texts that overflow it, which alone would wreck it', async () => {
    const own = await loadGrammar()
    for (let n = 0; n < 60; n += 1) {
      expect(own(`select ${'1+'.repeat(30_000)}1`)).toBeNull()
      await new Promise((resolve) => setImmediate(resolve))
      expect(sqlFacts('select a from b', own, reading)).toMatchObject({ opaque: false })
    }
  })
})
