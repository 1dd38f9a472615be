/** One form for each address (RFC 3986 §6.2.2–6.2.3), to compare `htu` with where a request went. */

const ADDRESS = /^(https?):\/\/([^/?#@\\%]+)(\/[^?#]*)?(?:\?[^#]*)?(?:#.*)?$/i
const CHARACTERS = /^[!#$&'()*+,/:;=?@[\]A-Za-z0-9._~%-]*$/
const DEFAULT_PORT = { http: '80', https: '443' } as const

/**
 * The address without query and fragment, normalised; `null` for what is not an http address, names
 * a user, or has a dot segment: those mean another path to some readers than to others.
 */
export function normalised(address: string): string | null {
  const [, scheme, authority, path = '/'] = ADDRESS.exec(address) ?? []
  if (scheme === undefined || authority === undefined || !CHARACTERS.test(address)) return null
  const [, host, port = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d*))?$/i.exec(authority) ?? []
  const plain = decodedUnreserved(path)
  if (host === undefined || plain === null || /\/\.\.?(\/|$)/.test(plain)) return null
  const protocol = scheme.toLowerCase() as keyof typeof DEFAULT_PORT
  const isDefault = port === '' || port === DEFAULT_PORT[protocol]
  return `${protocol}://${host.toLowerCase()}${isDefault ? '' : `:${port}`}${plain}`
}

/** `%7e` → `~`, `%2f` → `%2F`; `null` where a percent sign begins nothing. */
function decodedUnreserved(path: string): string | null {
  if (/%(?![0-9a-f]{2})/i.test(path)) return null
  return path.replace(/%[0-9a-f]{2}/gi, (escape) => {
    const character = String.fromCharCode(parseInt(escape.slice(1), 16))
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase()
  })
}
