/**
 * `node test/vectors/make-chain.ts` writes test/vectors/chain/ anew: keys, claims and hashes are the same
 * each time, signatures are not. What is expected stands in the cases, by hand.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashOf, ISSUER, ROOT_KEY, ROOT_KID, seal } from '../chain/making.ts'
import { NOW } from '../chain/example.ts'
import { BYTES } from './cases-bytes.ts'
import { LINKS } from './cases-links.ts'
import { NARROWING } from './cases-narrowing.ts'
import type { Case } from './cases.ts'
import { type ChainVector, FOLDER } from './chain-vector.ts'

const ROOT_JWKS = { keys: [{ ...ROOT_KEY.jwk, kid: ROOT_KID, alg: 'ES256', use: 'sig' }] }

function vectorOf({ name, about, chain, expected, ...more }: Case): ChainVector {
  const tokens = chain.map((it) => (typeof it === 'string' ? it : null))
  const given = tokens.every((it) => it !== null) ? tokens : seal(chain as never)
  const left = more.leaveOut ?? 0
  const { leaveOut: _left, isForgotten, presenter, ...against } = more
  const isValid = expected.outcome === 'valid'
  return {
    ...{ name, about, issuer: ISSUER, now: NOW, root_jwks: ROOT_JWKS, tokens: given.slice(left) },
    ...(left > 0 && !isForgotten ? { ancestors: given.slice(0, left) } : {}),
    ...(presenter ? { presenter: { client_id: presenter[0], jkt: presenter[1] } } : {}),
    ...against,
    expected: { ...expected, ...(isValid ? { token_hashes: given.map(hashOf) } : {}) },
  }
}

const all = [...BYTES, ...LINKS, ...NARROWING].map(vectorOf)
mkdirSync(FOLDER, { recursive: true })
for (const outcome of new Set(all.map(({ expected }) => expected.outcome))) {
  const vectors = all.filter(({ expected }) => expected.outcome === outcome)
  writeFileSync(join(FOLDER, `${outcome}.json`), `${JSON.stringify(vectors, null, 1)}\n`)
  process.stdout.write(`${outcome}: ${String(vectors.length)}\n`)
}
