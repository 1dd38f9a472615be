/** Pure: a call as it is presented against the one that was decided. */
import { digestOf } from '../../domain/digest.ts'
import { JsonError, type JsonObject, readJson } from '../../domain/json.ts'
import type { Permissions } from '../connectors/http/settings.ts'

export interface PresentedCall {
  readonly method: string
  /** Below the lease, in the one spelling that a path has. */
  readonly path: string
  /** What follows the question mark; `''` without one. */
  readonly query: string
  readonly body: Uint8Array
}

/**
 * The body as a value where the call is the very one; `null` where it is another. What is sent is
 * written anew from what was decided, so that no spelling of the caller's reaches the target.
 */
export function sameCall(
  { method, path, query, body }: PresentedCall,
  permissions: Permissions,
): { readonly body: JsonObject | null } | null {
  if (method !== permissions.method || path !== permissions.path) return null
  if (!isSameQuery(query, permissions.query)) return null
  if (permissions.body_sha256 === null) return body.length === 0 ? { body: null } : null
  const value = valueOf(body)
  return value !== null && digestOf(value) === permissions.body_sha256 ? { body: value } : null
}

/** The same parameters with the same values, each once, in any order. */
function isSameQuery(query: string, decided: Permissions['query']): boolean {
  const pairs = query === '' ? [] : query.split('&').map(pairOf)
  const names = new Set(pairs.map((pair) => pair?.[0]))
  if (names.size !== pairs.length || pairs.length !== Object.keys(decided).length) return false
  return pairs.every(
    (pair) => pair !== null && Object.hasOwn(decided, pair[0]) && decided[pair[0]] === pair[1],
  )
}

function pairOf(text: string): readonly [string, string] | null {
  const [name = '', ...value] = text.split('=')
  try {
    return [unescaped(name), unescaped(value.join('='))]
  } catch {
    return null // Escapes that are no UTF-8.
  }
}

const unescaped = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))

function valueOf(body: Uint8Array): JsonObject | null {
  try {
    return readJson(body)
  } catch (error) {
    if (error instanceof JsonError) return null
    throw error
  }
}
