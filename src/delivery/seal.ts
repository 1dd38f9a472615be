/** The admin credentials of targets, sealed at rest and open only while one operation needs them. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { sha256 } from '../domain/digest.ts'
import { canonical } from '../domain/json.ts'
import { unavailable } from '../domain/problems.ts'
import { Secret } from '../domain/secret.ts'

export interface Secrets {
  /** Opens the secret of a target for the time of `work`, and keeps nothing of it. */
  use<T>(target: string, work: (secret: Secret) => Promise<T>): Promise<T>
}

export interface Vault extends Secrets {
  /** Seals the secret of a target, in place of the one there was. */
  store(target: string, secret: Secret): Promise<void>
}

export interface VaultOptions {
  readonly tenant: string
  readonly pool: Pick<Pool, 'query'>
  /** base64url of 32 octets */
  readonly key: Secret
}

interface Row {
  readonly key_version: string
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

/** @throws TypeError when the key is not 32 octets */
export function createVault({ tenant, pool, key }: VaultOptions): Vault {
  if (Buffer.from(key.reveal(), 'base64url').length !== 32) {
    throw new TypeError('the sealing key is not 32 octets')
  }
  // Says which key a row needs, and nothing about the key.
  const version = sha256(`procura seal key\0${key.reveal()}`).slice(0, 12)
  const boundTo = (target: string) =>
    Buffer.from(canonical([tenant, target, 'ciphertext', version]))

  async function read(target: string): Promise<Row> {
    const [row] = await ask<Row>(pool, {
      name: 'connector_secret_read',
      text: `select key_version, nonce, ciphertext from procura.connector_secret
             where tenant = $1 and target = $2`,
      values: [tenant, target],
    })
    if (row === undefined) throw new Error(`No secret is stored for the target ${target}`)
    if (row.key_version !== version) {
      throw unavailable('keys', new Error(`The secret of ${target} was sealed under another key`))
    }
    return row
  }

  return {
    async store(target, secret) {
      const nonce = randomBytes(12)
      const plain = Buffer.from(secret.reveal())
      const ciphertext = seal({ key, nonce, boundTo: boundTo(target) }, plain)
      plain.fill(0)
      await ask(pool, {
        text: `insert into procura.connector_secret (tenant, target, key_version, nonce, ciphertext)
               values ($1, $2, $3, $4, $5)
               on conflict (tenant, target) do update
               set key_version = excluded.key_version, nonce = excluded.nonce,
                   ciphertext = excluded.ciphertext, updated_at = clock_timestamp()`,
        values: [tenant, target, version, nonce, ciphertext],
      })
    },
    async use(target, work) {
      const { nonce, ciphertext } = await read(target)
      const plain = open({ key, nonce, boundTo: boundTo(target) }, ciphertext)
      try {
        // The string that comes of it cannot be wiped; it is let go with this call.
        return await work(new Secret(plain.toString('utf8')))
      } finally {
        plain.fill(0)
      }
    },
  }
}

/** `boundTo`: a row that was copied to another tenant, target or column does not open. */
interface Sealing {
  readonly key: Secret
  readonly nonce: Buffer
  readonly boundTo: Buffer
}

function seal({ key, nonce, boundTo }: Sealing, plain: Buffer): Buffer {
  const octets = Buffer.from(key.reveal(), 'base64url')
  const cipher = createCipheriv('aes-256-gcm', octets, nonce).setAAD(boundTo)
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** @throws when the row was altered or moved */
function open({ key, nonce, boundTo }: Sealing, sealed: Buffer): Buffer {
  const octets = Buffer.from(key.reveal(), 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', octets, nonce, { authTagLength: 16 })
  decipher.setAAD(boundTo).setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}
