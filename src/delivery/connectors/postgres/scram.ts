/** SCRAM-SHA-256 verifiers (RFC 5803), made here so that the server never sees the password. */
import { createHmac, hash, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { Secret } from '../../../domain/secret.ts'

const ITERATIONS = 4096 // the least that drivers accept; the password is 256 random bits anyway

/**
 * What PostgreSQL stores for this password. Checks it, and cannot be turned back into it.
 *
 * @param password ASCII, so that SASLprep (RFC 4013) leaves it as it is
 */
export async function scramVerifier(
  password: Secret,
  salt: Uint8Array = randomBytes(16),
): Promise<string> {
  const salted = await promisify(pbkdf2)(password.reveal(), salt, ITERATIONS, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('base64')
  const storedKey = hash('sha256', clientKey, 'base64')
  const salting = `${String(ITERATIONS)}:${Buffer.from(salt).toString('base64')}`
  return `SCRAM-SHA-256$${salting}$${storedKey}:${serverKey}`
}
