/** The line between two processes, as it is configured: complete, or a mistake. */
import { Secret } from './domain/secret.ts'
import { type Mistake, readText } from './mistake.ts'
import type { PeerTls } from './peer/tls.ts'
import { type Settings, SETTINGS } from './settings.ts'

/** The other process, as this one knows it. */
export type Peer = PeerTls &
  (
    | { readonly role: 'pdp'; readonly listen: { readonly host: string; readonly port: number } }
    | { readonly role: 'cdp'; readonly url: string }
  )

/** `null` where both sides are one process, or where something is missing: then it is a mistake. */
export function peerIn(values: Settings, mistakes: Mistake[]): Peer | null {
  const role = values.PROCURA_ROLE as Settings['PROCURA_ROLE'] | undefined
  if (role === 'all' || role === undefined) return null
  const told = new Set(mistakes.map(({ key }) => key))
  const wanted = <Name extends keyof Settings>(name: Name) => {
    const value = values[name]
    if (value !== undefined) return value as NonNullable<Settings[Name]>
    // It is there, and wrong in another way.
    if (told.has(name) || told.has(`${name}_FILE`)) return undefined
    const problem = `is needed with PROCURA_ROLE=${role}`
    mistakes.push({ key: name, problem, example: SETTINGS[name].example })
    return undefined
  }
  const inFile = (name: 'PROCURA_PEER_CERT' | 'PROCURA_PEER_KEY' | 'PROCURA_PEER_CA') => {
    const file = wanted(name)
    return file === undefined ? undefined : readText(file, name, mistakes)
  }
  // Both serve one origin, and neither starts a database of its own.
  wanted('DATABASE_URL')
  wanted('PROCURA_ISSUER')
  const [cert, key, ca] = [
    inFile('PROCURA_PEER_CERT'),
    inFile('PROCURA_PEER_KEY'),
    inFile('PROCURA_PEER_CA'),
  ]
  const listen = role === 'pdp' ? wanted('PROCURA_PEER_LISTEN') : undefined
  const url = role === 'cdp' ? wanted('PROCURA_PEER_URL') : undefined
  if (cert === undefined || key === undefined || ca === undefined) return null
  const name = values.PROCURA_PEER_NAME ?? (role === 'pdp' ? 'procura-cdp' : 'procura-pdp')
  const tls = { cert, key: new Secret(key), ca, name }
  if (listen !== undefined) return { ...tls, role: 'pdp', listen }
  return url === undefined ? null : { ...tls, role: 'cdp', url }
}
