/** Where a seal is that never leaves its token: a PKCS #11 URI, RFC 7512, as far as it is needed for that. */

/** What of the URI says which token is meant; each that is given has to be so. */
export const NAMES = ['token', 'manufacturer', 'serial', 'model'] as const

export interface TokenUri {
  readonly names: Readonly<Partial<Record<(typeof NAMES)[number], string>>>
  /** The label of the keys; each of them is a version. */
  readonly object: string
  readonly modulePath: string
  readonly pinFile: string
}

const PATH: readonly string[] = [...NAMES, 'object', 'type']
const QUERY: readonly string[] = ['module-path', 'pin-source']

/** @throws TypeError which quotes no value: one may be a PIN that somebody put here */
export function readTokenUri(text: string): TokenUri {
  const [, path, query = ''] = /^pkcs11:([^?#]*)(?:\?([^#]*))?$/.exec(text) ?? []
  if (path === undefined) throw new TypeError('is no pkcs11: URI (RFC 7512)')
  const at = membersOf(path, ';', PATH)
  const how = membersOf(query, '&', QUERY)
  const names = Object.fromEntries([...at].filter(([name]) => NAMES.some((it) => it === name)))
  if (names['token'] === undefined && names['serial'] === undefined) {
    throw new TypeError('names no token: give its token=label or its serial=')
  }
  if ((at.get('type') ?? 'secret-key') !== 'secret-key') {
    throw new TypeError('has a type other than secret-key')
  }
  return {
    ...{ names, object: needed(at, 'object', 'the label of the keys') },
    modulePath: fileIn(needed(how, 'module-path', 'the library of the token'), 'module-path'),
    pinFile: fileIn(needed(how, 'pin-source', 'the file of the PIN'), 'pin-source'),
  }
}

/** Section 2.3: each attribute at most once. What is not read here might have narrowed it: it is refused. */
function membersOf(text: string, between: string, known: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const member of text.split(between).filter((it) => it !== '')) {
    const [, name = '', value = ''] = /^([a-z-]+)=(.*)$/.exec(member) ?? []
    if (name === 'pin-value') {
      throw new TypeError('has the PIN in it: name its file, with pin-source=file:/…')
    }
    if (!known.includes(name)) throw new TypeError(`may say ${known.join(', ')} there, and no more`)
    if (found.has(name)) throw new TypeError(`says ${name} twice`)
    found.set(name, decoded(value, name))
  }
  return found
}

function decoded(value: string, name: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw new TypeError(`has a ${name} that is not percent-encoded UTF-8`)
  }
}

function needed(members: ReadonlyMap<string, string>, name: string, what: string): string {
  const value = members.get(name)
  if (value === undefined || value === '') throw new TypeError(`needs ${name}=, ${what}`)
  return value
}

/** A path or a file: URI. Section 2.4 also knows a program to ask for a PIN; none is run here. */
function fileIn(value: string, name: string): string {
  const path = value.replace(/^file:(\/\/(?=\/))?/, '')
  if (path.startsWith('/') && !path.startsWith('//')) return path
  throw new TypeError(`needs a ${name} that is the whole path of a file`)
}
