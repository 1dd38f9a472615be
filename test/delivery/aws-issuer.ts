/** A broker's own issuer, published as the app publishes it, for an STS that comes to look; and who asks it. */
import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../src/domain/clock.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Signer } from '../../src/domain/jws.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createTargets, type Target } from '../../src/delivery/targets.ts'
import { createApp } from '../../src/http/app.ts'
import { publicJwks } from '../../src/keys.ts'
import { aFront } from '../fakes/front.ts'
import { OWNER } from './aws-target.ts'
import { aSigner, HOUSE } from './bench.ts'

export interface PublishedIssuer {
  /** Signs as the broker whose issuer it is. */
  readonly signer: Signer
  /** SHA-1 of the certificate that is published with the key, in hex. */
  readonly thumbprint: string
  close(): Promise<void>
}

export async function aPublishedIssuer(): Promise<PublishedIssuer> {
  let app: RequestListener | null = null
  const server = createServer((req, res) => app?.(req, res))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const signer = { ...aSigner(), issuer }
  const certificate = certificateOf(signer)
  // This gateway reads keys from certificates alone, which the broker does not publish.
  const x5c = [certificate.raw.toString('base64')]
  const keys = (publicJwks(signer.keys)['keys'] as JsonObject[]).map((key) => ({ ...key, x5c }))
  const { metadata } = aFront()
  const jwks = { ...metadata.jwks, credentials: () => keys }
  app = createApp(aFront({ issuer, metadata: { ...metadata, jwks } }))
  return {
    signer,
    thumbprint: certificate.fingerprint.replaceAll(':', ''),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function certificateOf({ privateKey }: ReturnType<typeof aSigner>): X509Certificate {
  const dir = mkdtempSync(join(tmpdir(), 'procura-x5c-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  try {
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    const named = ['-key', key, '-subj', '/CN=procura', '-days', '2', '-out', cert]
    execFileSync('openssl', ['req', '-x509', ...named], { stdio: 'pipe' })
    return new X509Certificate(readFileSync(cert))
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Whatever would open a stored key fails. */
export const NOTHING_STORED = { use: () => Promise.reject(new Error('nothing is stored')) }

/** The target `reports` of a broker that signs so and stores nothing. */
export function keylessTarget(
  settings: object,
  credentials: Signer,
  clock: Clock = HOUSE.clock,
): Target {
  const kinds = createConnectors({
    ...{ ...HOUSE, credentials, clock, secrets: NOTHING_STORED, owner: OWNER },
  })
  const own = { connector: 'aws-sts', credentials: 'web_identity', ...settings }
  const target = createTargets(kinds, { reports: own }).get('reports')
  if (target === undefined) throw new Error('no target')
  return target
}
