/** Certificates for two processes that know each other by name, made with the machine's openssl. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

export interface Certificates {
  readonly ca: string
  /** Signed by that authority, made out to this name. */
  readonly of: (name: string) => { readonly cert: string; readonly key: string }
}

export function someCertificates(dir: string): Certificates {
  mkdirSync(dir, { recursive: true })
  const make = (name: string, more: readonly string[]) => {
    const [cert, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)]
    const own = ['-subj', `/CN=${name}`, '-keyout', key, '-out', cert]
    execFileSync('openssl', [...REQUEST, ...own, ...more], { stdio: 'pipe' })
    return { cert, key }
  }
  const ca = make('authority', ['-addext', 'basicConstraints=critical,CA:true'])
  const signed = ['-CA', ca.cert, '-CAkey', ca.key]
  return {
    ca: ca.cert,
    of: (name) => make(name, [...signed, '-addext', `subjectAltName=DNS:${name}`]),
  }
}

const REQUEST = [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ...['-nodes', '-days', '2'],
]
