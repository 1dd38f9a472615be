/** One sealed secret as its row has it: under a key of its own, which the key store has wrapped. */
import { randomBytes } from 'node:crypto'
import { canonical } from '../domain/json.ts'
import { type KeyStore, open, seal, type Wrapped } from './key-store.ts'

export interface SealedRow {
  readonly key_version: string
  /** `null` in rows of before there were keys of their own: the store's key sealed those. */
  readonly wrapped_key: Buffer | null
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

/** Where the row stands: one that was copied to another tenant, target, table or column does not open. */
export interface Place {
  readonly tenant: string
  readonly target: string
  /** The stored secret where it is left out. */
  readonly of?: 'token'
}

const NONCE = 12
const bound =
  ({ tenant, target, of }: Place, column: string) =>
  (version: string) =>
    Buffer.from(canonical([tenant, target, column, version, ...(of === undefined ? [] : [of])]))
const forKey = (place: Place) => bound(place, 'wrapped_key')
/** Not bound to a version: it stays as it is when its key is wrapped anew. */
const forSecret = (place: Place) => bound(place, 'ciphertext')('own key')
const asBefore = (place: Place) => bound(place, 'ciphertext')

export async function sealedRow(keys: KeyStore, place: Place, plain: Buffer): Promise<SealedRow> {
  const own = randomBytes(32)
  try {
    const sealed = seal(own, forSecret(place), plain)
    const wrapped = await keys.wrap(own, forKey(place))
    const [nonce, ciphertext] = [sealed.subarray(0, NONCE), sealed.subarray(NONCE)]
    return { ...columnsOf(wrapped), nonce, ciphertext }
  } finally {
    own.fill(0)
  }
}

/** The caller wipes what it gets. @throws when the row was altered or moved, or its key is not there */
export async function openedRow(keys: KeyStore, place: Place, row: SealedRow): Promise<Buffer> {
  const sealed = Buffer.concat([row.nonce, row.ciphertext])
  const version = row.key_version
  if (row.wrapped_key === null) {
    return await keys.unwrap({ version, octets: sealed }, asBefore(place))
  }
  const own = await keys.unwrap({ version, octets: row.wrapped_key }, forKey(place))
  try {
    return open(own, forSecret(place), sealed)
  } finally {
    own.fill(0)
  }
}

/** The same secret with its key under the current version. Of what has a key of its own, only that changes. */
export async function rewrappedRow(
  keys: KeyStore,
  place: Place,
  row: SealedRow,
): Promise<SealedRow> {
  const version = row.key_version
  if (row.wrapped_key === null) {
    const plain = await openedRow(keys, place, row)
    try {
      return await sealedRow(keys, place, plain)
    } finally {
      plain.fill(0)
    }
  }
  const own = await keys.unwrap({ version, octets: row.wrapped_key }, forKey(place))
  try {
    return { ...row, ...columnsOf(await keys.wrap(own, forKey(place))) }
  } finally {
    own.fill(0)
  }
}

const columnsOf = ({ version, octets }: Wrapped) => ({ key_version: version, wrapped_key: octets })
