/** The key folder: what this broker signs with, makes nonces with and seals with. Nothing here prints. */
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from './domain/digest.ts'
import { canonical, type JsonObject } from './domain/json.ts'
import type { KeySet } from './domain/jws.ts'
import { Secret } from './domain/secret.ts'
import {
  KeyError,
  type LedgerKey,
  octets,
  publicMembers,
  readLedgerKey,
  readSealKey,
  readSet,
  refuseShared,
  type SetName,
  SETS,
} from './key-files.ts'

export interface Keys extends Readonly<Record<SetName, KeySet>> {
  /** Ed25519: signs checkpoints. */
  readonly ledger: LedgerKey
  /** 32 octets that DPoP nonces are made with; all replicas share them. */
  readonly nonce: KeyObject
  /** base64url of 32 octets: seals target credentials and what identifies people. */
  readonly seal: Secret
}

export interface LoadOptions {
  /** Used instead of `seal.key`, which then need not exist. */
  readonly sealKey?: Secret | null
  /** Told when others on this machine can read a key. */
  readonly warn?: (text: string) => void
}

/**
 * Makes the keys that are missing and leaves the others alone. Of two that run at once, each file is
 * one's or the other's, and whole: it appears under its name only when it is on disk.
 *
 * @returns the names of the files that this call made
 */
export async function createKeys(dir: string): Promise<string[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const made: string[] = []
  for (const [name, make] of Object.entries(MAKERS)) {
    if (await createOnce(join(dir, name), make)) made.push(name)
  }
  return made
}

/** @throws KeyError naming the file, and what to do */
export async function loadKeys(dir: string, options: LoadOptions = {}): Promise<Keys> {
  const { sealKey, warn = () => undefined } = options
  const read = (name: string) => readKeyFile(join(dir, name), warn)
  const set = async (name: SetName) => readSet(await read(`${name}.json`), name)
  const [sessions, roots, decisions, credentials, evidence] = [
    await set('sessions'),
    await set('roots'),
    await set('decisions'),
    await set('credentials'),
    await set('evidence'),
  ]
  refuseShared([sessions, roots, decisions, credentials, evidence])
  return {
    ...{ sessions, roots, decisions, credentials, evidence },
    ledger: readLedgerKey(await read('ledger.key')),
    nonce: createSecretKey(octets(await read('nonce.key'), 'nonce.key')),
    seal: readSealKey(sealKey ?? new Secret((await read('seal.key')).trim())),
  }
}

/** The public half of a set, as a JWK Set to publish. */
export function publicJwks(keys: KeySet): JsonObject {
  return {
    keys: keys.map(({ kid, alg, publicKey }) => ({
      ...(publicKey.export({ format: 'jwk' }) as JsonObject),
      ...{ kid, alg, use: 'sig' },
    })),
  }
}

const newSet = (prefix: string) => () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = privateKey.export({ format: 'jwk' }) as JsonObject
  const kid = `${prefix}-${sha256(canonical(publicMembers(jwk))).slice(0, 12)}`
  return `${canonical({ keys: [{ ...jwk, kid, alg: 'ES256', use: 'sig' }] })}\n`
}
const newOctets = () => `${randomBytes(32).toString('base64url')}\n`

const MAKERS: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(
    Object.entries(SETS).map(([name, prefix]) => [`${name}.json`, newSet(prefix)]),
  ),
  'ledger.key': () =>
    String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
  'nonce.key': newOctets,
  'seal.key': newOctets,
}

/** `link` is the check: it gives the finished file its name, or fails because the name is taken. */
async function createOnce(path: string, make: () => string): Promise<boolean> {
  if (await exists(path)) return false
  const unfinished = `${path}.${randomBytes(6).toString('hex')}.tmp`
  const file = await open(unfinished, 'wx', 0o600)
  try {
    await file.writeFile(make())
    await file.sync()
    await link(unfinished, path)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    await file.close()
    await unlink(unfinished)
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    },
  )
}

async function readKeyFile(path: string, warn: (text: string) => void): Promise<string> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) warn(`${path} can be read by others on this machine: chmod 600 it`)
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new KeyError(
      `The key ${path} cannot be read (${codeOf(error)}). Make the keys with: procura keys create`,
    )
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
}
