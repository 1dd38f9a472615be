/** Who is at the other end: mutual TLS, and the certificate is asked for its name, not only for its issuer. */
import { constants } from 'node:crypto'
import { checkServerIdentity, type PeerCertificate, type SecureContextOptions } from 'node:tls'
import type { Secret } from '../domain/secret.ts'

export interface PeerTls {
  /** PEM. */
  readonly cert: string
  readonly key: Secret
  /** Who vouches for the other end. */
  readonly ca: string
  /** What the certificate of the other end is made out to. */
  readonly name: string
}

/** No tickets: a resumed session would not show its certificate again. */
export const contextOf = ({ cert, key, ca }: PeerTls) =>
  ({
    ...{ cert, key: key.reveal(), ca, minVersion: 'TLSv1.3' },
    secureOptions: constants.SSL_OP_NO_TICKET,
  }) as const satisfies SecureContextOptions

/** `undefined`: it is. */
export function whyNot({ name }: PeerTls, certificate: PeerCertificate): Error | undefined {
  return checkServerIdentity(name, certificate)
}
