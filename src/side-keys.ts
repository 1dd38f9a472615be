/** The key folder of one side: its own keys, the public half of the other's, and nothing else. */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canonical } from './domain/json.ts'
import type { KeySet, PublicKeySet } from './domain/jws.ts'
import type { Secret } from './domain/secret.ts'
import {
  KeyError,
  type LedgerKey,
  octets,
  readLedgerKey,
  readPublicSet,
  readSet,
  refuseShared,
  type SetName,
  SPLIT,
} from './key-files.ts'
import {
  createOnce,
  loadDeliverySeal,
  type LoadOptions,
  loadKeys,
  loadSeal,
  publicJwks,
  readKeyFile,
} from './keys.ts'

/** Signs sessions, roots, decisions, evidence and the log; its seal is that of what identifies people. */
export interface PdpKeys extends Readonly<
  Record<'sessions' | 'roots' | 'decisions' | 'evidence', KeySet>
> {
  readonly credentials: PublicKeySet
  readonly ledger: LedgerKey
  readonly nonce: KeyObject
  readonly seal: Secret
}

/** Signs credentials; its seal is that of the credentials of targets. */
export interface CdpKeys {
  readonly credentials: KeySet
  readonly decisions: PublicKeySet
  /** `null`: its keys are in a token. */
  readonly seal: Secret | null
}

/** Private, then public. */
const FILES = {
  pdp: [
    ['sessions.json', 'roots.json', 'decisions.json', 'evidence.json', 'ledger.key', 'nonce.key'],
    ['credentials.json'],
  ],
  cdp: [['credentials.json'], ['decisions.json']],
} as const
const ALL: readonly string[] = [...FILES.pdp[0], 'credentials.json', 'seal.key']

/** @throws KeyError also for a folder with a key that the deciding side must not have */
export async function loadPdpKeys(dir: string, options: LoadOptions = {}): Promise<PdpKeys> {
  const { read, set, publicSet } = await reading('pdp', dir, options)
  const keys = {
    ...{ sessions: await set('sessions'), roots: await set('roots') },
    ...{ decisions: await set('decisions'), evidence: await set('evidence') },
    credentials: await publicSet('credentials'),
  }
  refuseShared(Object.values(keys))
  return {
    ...keys,
    ledger: readLedgerKey(await read('ledger.key')),
    nonce: createSecretKey(octets(await read('nonce.key'), 'nonce.key')),
    seal: await loadSeal(dir, options),
  }
}

/** @throws KeyError also for a folder with a key that the delivering side must not have */
export async function loadCdpKeys(dir: string, options: LoadOptions = {}): Promise<CdpKeys> {
  const { set, publicSet } = await reading('cdp', dir, options)
  const [credentials, decisions] = [await set('credentials'), await publicSet('decisions')]
  refuseShared([credentials, decisions])
  return { credentials, decisions, seal: await loadDeliverySeal(dir, options) }
}

async function reading(side: keyof typeof FILES, dir: string, options: LoadOptions) {
  const { warn = () => undefined } = options
  const own: readonly string[] = [...FILES[side].flat(), 'seal.key']
  // A folder that cannot be read is told by the first key that is wanted of it.
  const there = await readdir(dir).catch(() => [])
  const other = there.find((name) => ALL.includes(name) && !own.includes(name))
  if (other !== undefined) throw new KeyError(`${join(dir, other)} is not of ${side}: ${SPLIT}`)
  const read = (name: string) => readKeyFile(join(dir, name), warn)
  return {
    read,
    set: async (name: SetName) =>
      readSet(await read(`${name}.json`), name, options.now, options.token),
    publicSet: async (name: SetName) =>
      readPublicSet(await readKeyFile(join(dir, `${name}.json`), () => undefined), name),
  }
}

/**
 * Writes a folder for each side from the folder of a broker that was both: `pdp` and `cdp` in `out`.
 * What sealed the credentials of targets there stays with the deciding side, for what identifies people;
 * the delivering side gets a new seal, and they have to be sealed anew.
 *
 * @param keepSeal it also gets the old one, to put what was sealed under the new one with `rewrap`
 * @param sealKey the old one, where it is not in `dir`
 * @throws KeyError when a file is there already: nothing is overwritten
 */
export async function splitKeys(
  dir: string,
  out: string,
  {
    keepSeal = false,
    ...options
  }: { readonly keepSeal?: boolean } & Pick<LoadOptions, 'sealKey'> = {},
): Promise<string[]> {
  const keys = await loadKeys(dir, options)
  const made: string[] = []
  const write = async (name: string, text: string) => {
    const isNew = await createOnce(join(out, name), () => text)
    if (!isNew) throw new KeyError(`${join(out, name)} is there: name an empty folder`)
    made.push(name)
  }
  const publicText = (set: PublicKeySet) => `${canonical(publicJwks(set))}\n`
  for (const [side, [own]] of Object.entries(FILES)) {
    await mkdir(join(out, side), { recursive: true, mode: 0o700 })
    for (const name of own) await write(join(side, name), await readFile(join(dir, name), 'utf8'))
  }
  await write('pdp/seal.key', `${keys.seal.reveal()}\n`)
  await write('pdp/credentials.json', publicText(keys.credentials))
  const newSeal = `${randomBytes(32).toString('base64url')}\n`
  await write('cdp/seal.key', keepSeal ? `${newSeal}${keys.seal.reveal()}\n` : newSeal)
  await write('cdp/decisions.json', publicText(keys.decisions))
  return made
}
