import type { Pool, PoolClient } from 'pg'

type Query = (...asked: unknown[]) => Promise<unknown>

/** A pool to whose connections nothing is asked but through `ask`, which may ask it, or not. */
export function between(pool: Pool, ask: (query: Query, asked: unknown[]) => unknown): Pool {
  const through = (client: PoolClient) =>
    new Proxy(client, {
      get: (of, name) =>
        name === 'query' ? (...asked: unknown[]) => ask(of.query.bind(of), asked) : bound(of, name),
    })
  return new Proxy(pool, {
    get: (of, name) =>
      name === 'connect' ? async () => through(await of.connect()) : bound(of, name),
  })
}

function bound(of: object, name: string | symbol): unknown {
  const member: unknown = Reflect.get(of, name)
  return typeof member === 'function' ? (member.bind(of) as unknown) : member
}
