/** What a file of test/vectors/chain/ holds: chains, what they are held against, and what is to come out. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ChainVector {
  readonly name: string
  readonly about: string
  readonly issuer: string
  /** Unix seconds. */
  readonly now: number
  readonly root_jwks: { readonly keys: readonly Record<string, string>[] }
  readonly tokens: readonly string[]
  /** Known to the verifier, and left out of what is presented. Root first. */
  readonly ancestors?: readonly string[]
  readonly presenter?: { readonly client_id: string; readonly jkt: string }
  readonly purposes?: readonly string[]
  /** Agents that may receive a hop. */
  readonly delegates?: readonly string[]
  /** `hop` null: the consent or its sponsor. */
  readonly revoked?: readonly { readonly hop: number | null; readonly state: string }[]
  readonly repeat_constraints?: boolean
  readonly expected: Expected
}

export interface Expected {
  readonly outcome: string
  readonly hop?: number | null
  readonly field?: string
  /** Of the leaf, with `outcome` "valid". */
  readonly effective?: object
  readonly token_hashes?: readonly string[]
}

export const FOLDER = join(import.meta.dirname, 'chain')

export function chainVectors(): ChainVector[] {
  const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((it) => it.endsWith('.json')) : []
  return files
    .sort()
    .flatMap((file) => JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as ChainVector[])
}
