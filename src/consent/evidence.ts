/** The token that proves what a sponsor agreed to: `consent+jwt`. */
import { type Consent, termsBody } from '../domain/consent.ts'
import { type Digest, sha256 } from '../domain/digest.ts'
import { type Signer, signToken } from '../domain/jws.ts'

/** The sponsor's own sign-in stands behind it, hence `session`. */
export async function signEvidence(
  { id, sponsor, terms, ...rest }: Consent,
  signer: Signer,
): Promise<string> {
  const claims = {
    sub: sponsor,
    jti: id,
    iat: secondsOf(rest.createdAt),
    exp: secondsOf(terms.expiresAt),
    terms: termsBody(terms),
    terms_hash: rest.termsHash,
    method: 'session',
  }
  return await signToken('consent', claims, signer)
}

/** SHA-256 of what was signed: header and payload. */
export function evidenceHashOf(token: string): Digest {
  return sha256(token.slice(0, token.lastIndexOf('.')))
}

const secondsOf = (at: Date) => Math.floor(at.getTime() / 1000)
