/** Key folders, and a token in our memory. */
import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { unavailable } from '../../src/domain/problems.ts'
import type { InToken } from '../../src/key-files.ts'
import { createKeys } from '../../src/keys.ts'
import { readKeyUri } from '../../src/pkcs11/uri.ts'

export const T = 1_800_000_000
export const at = (seconds: number) => new Date((T + seconds) * 1000)
const folders: string[] = []
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true })
})

/** A token in our memory: its keys by what names them, and what it was asked for. */
export function aToken() {
  const keys = new Map<string, ReturnType<typeof generateKeyPairSync>['privateKey']>()
  const asked: string[] = []
  const state = { isAway: false }
  const using = (what: string, uri: string) => {
    asked.push(`${what} ${uri}`)
    const key = keys.get(uri)
    if (key === undefined || state.isAway) return Promise.reject(unavailable('keys'))
    return Promise.resolve(key)
  }
  const token: InToken = {
    at(uri) {
      readKeyUri(uri)
      return {
        sign: async (octets) =>
          sign('sha256', octets, { key: await using('sign', uri), dsaEncoding: 'ieee-p1363' }),
        inToken: {
          prove: () => using('prove', uri).then(() => undefined),
          look: () => using('look', uri).then(() => undefined),
        },
      }
    },
  }
  const make = (uri: string) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    keys.set(uri, privateKey)
    return { uri, jwk: createPublicKey(privateKey).export({ format: 'jwk' }) as JsonObject }
  }
  return { token, make, asked, state }
}
export const [ONE, TWO] = ['pkcs11:id=%01', 'pkcs11:id=%02']

export async function aFolder() {
  const dir = mkdtempSync(join(tmpdir(), 'procura-in-token-'))
  folders.push(dir)
  await createKeys(dir)
  const path = (name: string) => join(dir, `${name}.json`)
  return { dir, path, text: (name: string) => readFileSync(path(name), 'utf8') }
}
