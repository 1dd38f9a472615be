/** Pure: which headers go out to a target, and which of its answer come back. */

/** All that an agent says beside its call: how it would like the answer. */
const FORWARDED = ['accept', 'accept-language'] as const
const VALUE = /^[ -~]{1,500}$/
const PRINTABLE = /^[ -~]{0,8192}$/

export interface Sent {
  /** The target's own name and port, never the caller's. */
  readonly host: string
  /** As the tool declares them. */
  readonly declared: Readonly<Record<string, string>>
  /** What the agent sent, by lower-case name. */
  readonly presented: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string | null
}

/** Before the secret: nothing here can take its place, or name it for one connection only. */
export function requestHeaders({ host, declared, presented, body }: Sent): Record<string, string> {
  const forwarded = FORWARDED.flatMap((name) => {
    const value = presented[name]
    return typeof value === 'string' && VALUE.test(value) ? [[name, value]] : []
  })
  return {
    ...(Object.fromEntries(forwarded) as Record<string, string>),
    'user-agent': 'procura',
    ...declared,
    ...(body !== null && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
    }),
    // What is encoded could not be looked through.
    ...{ host, 'accept-encoding': 'identity' },
  }
}

/** Told of each answer; a target's settings name more. */
const TOLD = new Set([
  ...['content-type', 'content-language', 'content-disposition', 'etag', 'last-modified'],
  'retry-after',
])

/** @param raw names and values in turn, as they came */
export function answerHeaders(
  raw: readonly string[],
  more: readonly string[],
): readonly (readonly [name: string, value: string])[] {
  const told = new Map<string, string>()
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    const isTold = (TOLD.has(name) || more.includes(name)) && PRINTABLE.test(value)
    if (isTold && !told.has(name)) told.set(name, value)
  }
  return [...told]
}
