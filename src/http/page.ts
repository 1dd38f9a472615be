/** Pages of a list: `limit`, and a cursor that is good for one caller and one query only. */
import { z } from 'zod'
import { sameDigest, sha256 } from '../domain/digest.ts'
import { type Id, type IdPrefix, isId } from '../domain/ids.ts'
import { canonical, type JsonObject } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Listed, Page } from './front.ts'

/** A number in a query, written as JSON would write it. */
export const count = (min: number, max: number) =>
  z
    .string()
    .regex(/^(0|[1-9]\d{0,14})$/)
    .transform(Number)
    .pipe(z.int().min(min).max(max))

export const PAGE = {
  limit: count(1, 200).default(50),
  cursor: z.string().max(200).optional(),
}

/** What a cursor is bound to: whose list it is, and everything that filters it. */
export type Bound = JsonObject & { readonly caller: string; readonly path: string }

/** @throws BrokerError `invalid_cursor` for one of another caller or query */
export function pageOf<Prefix extends IdPrefix>(
  { limit, cursor }: { limit: number; cursor?: string | undefined },
  prefix: Prefix,
  bound: Bound,
): Page<Id<Prefix>> {
  if (cursor === undefined) return { limit, before: null }
  const [id = '', mark = ''] = Buffer.from(cursor, 'base64url').toString('latin1').split(' ')
  if (!isId(prefix, id) || !sameDigest(mark, markOf(id, bound))) {
    throw new BrokerError('invalid_cursor')
  }
  return { limit, before: id }
}

export function pageBody<Item>(
  { items, next }: Listed<Item, string>,
  bodyOf: (item: Item) => object,
  bound: Bound,
) {
  const cursor =
    next === null ? null : Buffer.from(`${next} ${markOf(next, bound)}`).toString('base64url')
  return { items: items.map(bodyOf), next_cursor: cursor }
}

/** Not a secret: a cursor opens nothing that its query would not. It only must not be mixed up. */
const markOf = (id: string, bound: Bound) => sha256(canonical({ ...bound, id }))
