/** The key folder: what this broker signs with, makes nonces with and seals with. Nothing here prints. */
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { JsonObject } from './domain/json.ts'
import type { KeySet, PublicKeySet } from './domain/jws.ts'
import { Secret } from './domain/secret.ts'
import {
  type InToken,
  KeyError,
  type LedgerKey,
  octets,
  readLedgerKey,
  readSealKey,
  readSet,
  refuseShared,
  type SetName,
  SETS,
} from './key-files.ts'
import { newSetText } from './rotation.ts'

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
  /** Of the delivering side: its keys are there, and `seal.key` only opens what is older. */
  readonly sealToken?: object | null
  /** What keys in a token sign with. */
  readonly token?: InToken | null
  /** Told when others on this machine can read a key. */
  readonly warn?: (text: string) => void
  /** Which key of a set signs then is its first; left out, the first in its file is. */
  readonly now?: Date
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
  const { warn = () => undefined } = options
  const read = (name: string) => readKeyFile(join(dir, name), warn)
  const set = async (name: SetName) =>
    readSet(await read(`${name}.json`), name, options.now, options.token)
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
    seal: await loadSeal(dir, options),
  }
}

/** The seal alone, of whichever side has this folder. @throws KeyError */
export async function loadSeal(dir: string, options: LoadOptions = {}): Promise<Secret> {
  const { sealKey, warn = () => undefined } = options
  const text = async () => (await readKeyFile(join(dir, 'seal.key'), warn)).trim()
  return readSealKey(sealKey ?? new Secret(await text()))
}

/** Of the delivering side; `null`: a token seals, and no file is left. @throws KeyError */
export async function loadDeliverySeal(dir: string, options: LoadOptions): Promise<Secret | null> {
  const isInToken = options.sealToken !== undefined && options.sealToken !== null
  if (isInToken && !options.sealKey && !(await exists(join(dir, 'seal.key')))) return null
  return await loadSeal(dir, options)
}

/**
 * Puts a new key before those in `seal.key`: from now on it seals, and the others open. The file is the
 * old one or the new one, for the same owner and group, and on disk when this returns.
 *
 * @throws KeyError also when another rotation is under way, or was killed before it had an effect
 */
export async function rotateSeal(dir: string): Promise<void> {
  const path = join(dir, 'seal.key')
  const next = `${path}.next`
  // Whoever has this file rotates; what is there is read after that.
  const file = await open(next, 'wx', 0o600).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error
    throw new KeyError(`${next} is there: the seal is being rotated, or that was killed; remove it`)
  })
  try {
    const held = (await readKeyFile(path, () => undefined)).trim()
    readSealKey(new Secret(held))
    await writeInsteadOf(path, file, `${newOctets()}${held}\n`)
    await rename(next, path)
  } catch (error) {
    await unlink(next)
    throw error
  } finally {
    await file.close()
  }
  const folder = await open(dir)
  await folder.sync().finally(() => folder.close())
}

export interface Staged {
  /**
   * Whoever reads finds the one file or the other, whole, and it is on disk when this has returned.
   *
   * @throws KeyError where the file is another by now, or somebody else has staged one since
   */
  putInPlace(): Promise<void>
  /** Leaves nothing of what was not put in place. */
  discard(): Promise<void>
}

/**
 * Writes what is to be in place of a key file, beside it and for its owner. Of several at once one at
 * most can be put in place: each takes away what others have staged, or were killed over.
 *
 * @param before what the file says, and still has to say then
 */
export async function stageKeyFile(path: string, before: string, text: string): Promise<Staged> {
  const next = `${path}.${randomBytes(6).toString('hex')}.next`
  const discard = () => rm(next, { force: true })
  const file = await open(next, 'wx', 0o600)
  try {
    await writeInsteadOf(path, file, text)
    await discardOthers(path, next)
  } catch (error) {
    await discard()
    throw error
  } finally {
    await file.close()
  }
  return {
    async putInPlace() {
      if ((await readFile(path, 'utf8')) !== before) throw changedMeanwhile(path)
      await rename(next, path).catch((error: unknown) => {
        throw codeOf(error) === 'ENOENT' ? changedMeanwhile(path) : error
      })
      const folder = await open(dirname(path))
      await folder.sync().finally(() => folder.close())
    },
    discard,
  }
}

const changedMeanwhile = (path: string) =>
  new KeyError(`${path} was changed, or is being changed, by somebody else meanwhile: run it again`)

async function discardOthers(path: string, own: string): Promise<void> {
  const isStaged = (name: string) =>
    name.startsWith(`${basename(path)}.`) && name.endsWith('.next') && name !== basename(own)
  for (const name of (await readdir(dirname(path))).filter(isStaged)) {
    await rm(join(dirname(path), name), { force: true })
  }
}

/** For the same owner, group and others as what is at the path, and on disk when it returns. */
async function writeInsteadOf(path: string, file: FileHandle, text: string): Promise<void> {
  const { uid, gid, mode } = await stat(path)
  await file.writeFile(text)
  await file.chown(uid, gid).catch((error: unknown) => {
    throw new KeyError(
      `What is to take the place of ${path} cannot be its owner's (${codeOf(error)}): do it as they, or as root`,
    )
  })
  await file.chmod(mode & 0o777)
  await file.sync()
}

/** The public half of a set, as a JWK Set to publish. */
export function publicJwks(keys: PublicKeySet): JsonObject {
  return {
    keys: keys.map(({ kid, alg, publicKey }) => ({
      ...(publicKey.export({ format: 'jwk' }) as JsonObject),
      ...{ kid, alg, use: 'sig' },
    })),
  }
}

const newOctets = () => `${randomBytes(32).toString('base64url')}\n`

const MAKERS: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(
    (Object.keys(SETS) as SetName[]).map((name) => [`${name}.json`, () => newSetText(name)]),
  ),
  'ledger.key': () =>
    String(generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' })),
  'nonce.key': newOctets,
  'seal.key': newOctets,
}

/** `link` is the check: it gives the finished file its name, or fails because the name is taken. */
export async function createOnce(path: string, make: () => string): Promise<boolean> {
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

/** @throws KeyError naming the file, and what to do */
export async function readKeyFile(path: string, warn: (text: string) => void): Promise<string> {
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
