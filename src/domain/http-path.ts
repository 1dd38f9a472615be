/** Paths and queries of an API: as declared, `/v1/issues/{number}`, filled in with values, held against one. */

/** Text that means the same to every reader: a value that would not is refused, never repaired. */
type Value = string | number | boolean

// Letters, digits and a few marks: nothing that needs an escape, or that another reader takes for more.
const LITERAL = /^(?!\.{1,2}$)[A-Za-z0-9._~:@-]+$/
const NAMED = /^\{([A-Za-z][A-Za-z0-9_-]{0,63})\}$/
// eslint-disable-next-line no-control-regex -- these are what must not be there
const UNSAFE = /[/\\\u0000-\u001f\u007f-\u009f]|%[0-9a-f]{2}|\p{Surrogate}/iu
/** As RFC 3986 §2.1 has it, upper case, and no escape where none is needed. */
const ESCAPED = /^(?:[A-Za-z0-9._~:@-]|%[0-9A-F]{2})+$/

/** Whether it begins with `/`, and each part is plain or one `{name}`: none is empty, none leads up. */
export function isTemplate(text: string): boolean {
  if (!text.startsWith('/')) return false
  return partsOf(text).every((part) => LITERAL.test(part) || NAMED.test(part))
}

/** What is in braces, in order. */
export function namesIn(template: string): string[] {
  return partsOf(template).flatMap((part) => NAMED.exec(part)?.[1] ?? [])
}

/** The path; `null` where a value is none, or is not one part of a path to everybody. */
export function fill(
  template: string,
  valueOf: (name: string) => Value | undefined,
): string | null {
  const parts: string[] = []
  for (const part of partsOf(template)) {
    const name = NAMED.exec(part)?.[1]
    const filled = name === undefined ? part : segmentOf(valueOf(name))
    if (filled === null) return null
    parts.push(filled)
  }
  return `/${parts.join('/')}`
}

/** Whether some values make this path of the template, spelled as `fill` spells it. */
export function matches(template: string, path: string): boolean {
  if (!path.startsWith('/')) return false
  const [declared, given] = [partsOf(template), partsOf(path)]
  if (declared.length !== given.length) return false
  return declared.every((part, at) => {
    const presented = given[at] ?? ''
    return NAMED.test(part) ? isSegment(presented) : part === presented
  })
}

/** A path as `fill` spells it; `null` for what no template has. */
export function canonicalPath(path: string): string | null {
  if (!path.startsWith('/')) return null
  const parts = partsOf(path).map(respelled)
  return parts.includes(null) ? null : `/${parts.join('/')}`
}

/** `name=value` of each, escaped, by name: the one spelling of a query. `''` without any. */
export function queryOf(values: Readonly<Record<string, string>>): string {
  return Object.keys(values)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(values[name] ?? '')}`)
    .join('&')
}

/** Escapes all but RFC 3986's unreserved characters. Throws `URIError` for a lone surrogate. */
export function escaped(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

const partsOf = (path: string) => (path === '/' ? [] : path.slice(1).split('/'))

/** One part of a path; a text that still has an escape in it would be another to whoever reads twice. */
function segmentOf(value: Value | undefined): string | null {
  if (value === undefined) return null
  const text = String(value)
  if (text === '' || /^\.{1,2}$/.test(text) || UNSAFE.test(text)) return null
  // RFC 3986 §3.3: in a path these two stand for themselves.
  return escaped(text).replaceAll('%3A', ':').replaceAll('%40', '@')
}

const isSegment = (presented: string) =>
  ESCAPED.test(presented) && respelled(presented) === presented

function respelled(presented: string): string | null {
  try {
    return segmentOf(decodeURIComponent(presented))
  } catch {
    return null // Escapes that are no UTF-8.
  }
}
