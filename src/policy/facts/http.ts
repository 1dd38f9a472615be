/** Pure: a call of an API → the exact request that it comes to, and what rules may ask about it. */
import { escaped, fill, queryOf } from '../../domain/http-path.ts'
import { isObject, type Json, type JsonObject } from '../../domain/json.ts'

/** As a tool declares it: what is sent, and which argument each value of it is. */
export interface HttpGrant {
  readonly method: string
  /** `/v1/issues/{number}` */
  readonly path: string
  /** Parameter → argument. */
  readonly query: Readonly<Record<string, string>>
  /** Member → argument; without any, nothing is sent. */
  readonly body?: Readonly<Record<string, string>> | undefined
}

export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly body: JsonObject | null
}

/** What an address may be long, with room for the broker's own and the target's. */
const TARGET_MAX = 6000
// eslint-disable-next-line no-control-regex -- these are what must not be there
const CONTROL = /[\u0000-\u001f\u007f]|\p{Surrogate}/u

/** `null` where an argument cannot stand where it is to be in an address, or that becomes too long. */
export function requestOf(args: JsonObject, grant: HttpGrant): HttpRequest | null {
  const path = fill(grant.path, (name) => plainOf(args, name))
  const query = Object.fromEntries(
    Object.entries(grant.query).flatMap(([name, from]) => {
      const value = plainOf(args, from)
      return value === undefined ? [] : [[name, String(value)]]
    }),
  )
  const isClean = Object.values(query).every((value) => !CONTROL.test(value))
  if (path === null || !isClean || path.length + queryOf(query).length > TARGET_MAX) return null
  return { method: grant.method, path, query, body: bodyOf(args, grant.body) }
}

/** Of a call that comes to no request, too: it is refused later, whatever the rules say. */
export function httpFacts(args: JsonObject, grant: HttpGrant): JsonObject {
  const request = requestOf(args, grant)
  return {
    method: grant.method,
    path: request?.path ?? '',
    query_names: Object.keys(request?.query ?? {}).map(escaped),
  }
}

/** A grant as the catalogue has read it. */
export function isHttpGrant(grant: unknown): grant is HttpGrant {
  return isObject(grant as Json) && 'method' in (grant as object) && 'path' in (grant as object)
}

function bodyOf(args: JsonObject, members: HttpGrant['body']): JsonObject | null {
  if (members === undefined) return null
  const stated = Object.entries(members).filter(([, from]) => Object.hasOwn(args, from))
  return Object.fromEntries(
    stated.map(([name, from]): [string, Json] => [name, args[from] ?? null]),
  )
}

function plainOf(args: JsonObject, name: string): string | number | boolean | undefined {
  const value = Object.hasOwn(args, name) ? args[name] : undefined
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return undefined
  return typeof value === 'object' ? undefined : value
}
