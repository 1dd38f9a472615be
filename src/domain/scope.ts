/** Scopes: a tool's name, `a.b.*` for all below, or an opaque word that means itself. */

const NAME = /^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$/
const WILDCARD = /^([a-z][a-z0-9_-]*\.)+\*$/
/** A name but for its case: it would be taken for one, and is none. */
const NAME_LIKE = /^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z][A-Za-z0-9_-]*)+$/
/** RFC 6749 §3.3, without the star. */
const OPAQUE = /^[\x21\x23-\x29\x2b-\x5b\x5d-\x7e]+$/
const NAME_MAX = 64
const OPAQUE_MAX = 1024

export function isToolName(text: string): boolean {
  return text.length <= NAME_MAX && NAME.test(text)
}

/** `a.b.*`, never a bare `*`. */
export function isWildcard(text: string): boolean {
  return text.length <= NAME_MAX + 2 && WILDCARD.test(text)
}

export function isScope(text: string): boolean {
  if (isToolName(text) || isWildcard(text)) return true
  return text.length <= OPAQUE_MAX && OPAQUE.test(text) && !NAME_LIKE.test(text)
}

/** Whether `scope` covers a tool's name, or a narrower scope. A dot is a dot. */
export function covers(scope: string, other: string): boolean {
  if (scope === other) return true
  if (!isWildcard(scope) || !(isToolName(other) || isWildcard(other))) return false
  return other.startsWith(scope.slice(0, -1))
}
