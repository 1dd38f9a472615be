/** Which token, and which keys in it: PKCS #11 URIs, RFC 7512, as far as they are needed here. */

/** What of the URI says which token is meant; each that is given has to be so. */
export const NAMES = ['token', 'manufacturer', 'serial', 'model'] as const

export interface TokenUri {
  readonly names: Readonly<Partial<Record<(typeof NAMES)[number], string>>>
  readonly modulePath: string
  readonly pinFile: string
}
export interface SealUri extends TokenUri {
  /** The label of the keys; each of them is a version. */
  readonly object: string
}
/** One private key of whatever token is open; of two that are given, both have to be so. */
export interface KeyUri {
  readonly object: string | null
  readonly id: Buffer | null
}

/** As its siblings here. @throws TypeError which quotes no value: one may be a PIN that somebody put here */
export function readSealUri(text: string): SealUri {
  const { path, query } = membersIn(text, [...NAMES, 'object', 'type'])
  refuseOther(path, 'secret-key')
  return { ...tokenIn(path, query), object: needed(path, 'object', 'the label of the keys') }
}

/** Which of its keys sign is said elsewhere: by `readKeyUri`. */
export function readSignerUri(text: string): TokenUri {
  const { path, query } = membersIn(text, NAMES)
  return tokenIn(path, query)
}

export function readKeyUri(text: string): KeyUri {
  const { path, query } = membersIn(text, ['object', 'id', 'type'])
  if (query.size > 0) throw new TypeError('says how a token is opened, which is said elsewhere')
  refuseOther(path, 'private')
  const object = path.has('object') ? needed(path, 'object', 'its label') : null
  const id = path.has('id') ? octetsIn(path.get('id') ?? '') : null
  if (object === null && id === null) {
    throw new TypeError('names no key: give its id= or its object=')
  }
  return { object, id }
}

/** As `readKeyUri` reads it. */
export function keyUri(object: string, id: Buffer): string {
  const octets = id.toString('hex').replace(/../g, '%$&')
  return `pkcs11:object=${encodeURIComponent(object)};id=${octets};type=private`
}

/** Each is as it was written, percent-encoded. */
type Members = ReadonlyMap<string, string>

function tokenIn(path: Members, query: Members): TokenUri {
  const names = Object.fromEntries(
    NAMES.filter((name) => path.has(name)).map((name) => [name, textIn(path, name)]),
  )
  if (names['token'] === undefined && names['serial'] === undefined) {
    throw new TypeError('names no token: give its token=label or its serial=')
  }
  return {
    names,
    modulePath: fileIn(needed(query, 'module-path', 'the library of the token'), 'module-path'),
    pinFile: fileIn(needed(query, 'pin-source', 'the file of the PIN'), 'pin-source'),
  }
}

const QUERY: readonly string[] = ['module-path', 'pin-source']

function membersIn(text: string, known: readonly string[]) {
  const [, path, query = ''] = /^pkcs11:([^?#]*)(?:\?([^#]*))?$/.exec(text) ?? []
  if (path === undefined) throw new TypeError('is no pkcs11: URI (RFC 7512)')
  return { path: membersOf(path, ';', known), query: membersOf(query, '&', QUERY) }
}

/** Section 2.3: each attribute at most once. What is not read here might have narrowed it: it is refused. */
function membersOf(text: string, between: string, known: readonly string[]): Members {
  const found = new Map<string, string>()
  for (const member of text.split(between).filter((it) => it !== '')) {
    const [, name = '', value = ''] = /^([a-z-]+)=(.*)$/.exec(member) ?? []
    if (name === 'pin-value') {
      throw new TypeError('has the PIN in it: name its file, with pin-source=file:/…')
    }
    if (!known.includes(name)) throw new TypeError(`may say ${known.join(', ')} there, and no more`)
    if (found.has(name)) throw new TypeError(`says ${name} twice`)
    found.set(name, value)
  }
  return found
}

function refuseOther(path: Members, type: string): void {
  if ((path.get('type') ?? type) !== type) throw new TypeError(`has a type other than ${type}`)
}

function textIn(members: Members, name: string): string {
  try {
    return decodeURIComponent(members.get(name) ?? '')
  } catch {
    throw new TypeError(`has a ${name} that is not percent-encoded UTF-8`)
  }
}

/** Section 2.3: an id is octets, and no text. */
function octetsIn(value: string): Buffer {
  const octets = value.replace(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number(`0x${hex}`)),
  )
  if (value === '' || /%(?![0-9a-f]{2})|[^ -~]/i.test(value)) {
    throw new TypeError('has an id that is not percent-encoded')
  }
  return Buffer.from(octets, 'latin1')
}

function needed(members: Members, name: string, what: string): string {
  const value = textIn(members, name)
  if (value === '') throw new TypeError(`needs ${name}=, ${what}`)
  return value
}

/** A path or a file: URI. Section 2.4 also knows a program to ask for a PIN; none is run here. */
function fileIn(value: string, name: string): string {
  const path = value.replace(/^file:(\/\/(?=\/))?/, '')
  if (path.startsWith('/') && !path.startsWith('//')) return path
  throw new TypeError(`needs a ${name} that is the whole path of a file`)
}
