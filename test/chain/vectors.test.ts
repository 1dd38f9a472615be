import { describe, expect, it } from 'vitest'
import { OUTCOMES, rootKeysOf, verifyChain, type Verifying } from '../../src/chain/verify.ts'
import type { ChainAuthority } from '../../src/domain/authority.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { type ChainVector, chainVectors } from '../vectors/chain-vector.ts'
import { TOKEN_HASHES } from './example.ts'

const VECTORS = chainVectors()

describe('the chain vectors', () => {
  it.each(VECTORS)('$expected.outcome: $name', (vector) => {
    const result = verifyChain(verifying(vector))
    const { outcome, hop, field, effective, token_hashes: hashes } = vector.expected
    if (result.ok) {
      expect(outcome, vector.about).toBe('valid')
      expect(result.hops.map(({ tokenHash }) => tokenHash)).toEqual(hashes)
      const leaf = result.hops.at(-1)
      if (effective && leaf) expect(stated(leaf.effective)).toEqual(effective)
    } else {
      const { outcome: found, hop: where, field: what, detail } = result
      expect({ found, where, what }, detail).toEqual({ found: outcome, where: hop, what: field })
    }
  })

  it('have one at least for each outcome, and each a name of its own', () => {
    const outcomes = new Set(VECTORS.map(({ expected }) => expected.outcome))
    expect([...outcomes].sort()).toEqual([...OUTCOMES, 'valid'].sort())
    const names = VECTORS.map(({ name, expected }) => `${expected.outcome} ${name}`)
    expect(names.filter((name, at) => names.indexOf(name) < at)).toEqual([])
  })

  it('begin with the worked example, whose hashes are those that everybody gets', () => {
    const example = VECTORS.find(({ name }) => name === 'the-worked-example')
    expect(example?.expected.token_hashes).toEqual(TOKEN_HASHES)
  })
})

function verifying(vector: ChainVector): Verifying {
  const { presenter, purposes, delegates, revoked } = vector
  return {
    tokens: vector.tokens,
    issuer: vector.issuer,
    rootKeys: rootKeysOf(vector.root_jwks as unknown as JsonObject),
    now: new Date(vector.now * 1000),
    ancestors: vector.ancestors ?? [],
    repeatConstraints: vector.repeat_constraints ?? false,
    ...(presenter && { presenter: { clientId: presenter.client_id, jkt: presenter.jkt } }),
    ...(purposes && { purposes: new Set(purposes) }),
    ...(delegates && { delegates: new Set(delegates) }),
    standing: (token) => {
      const stop = revoked?.find(({ hop }) => hop === (token?.depth ?? null))
      return stop?.state === 'revoked' || stop?.state === 'unknown' ? stop.state : 'good'
    },
  }
}

/** As the vectors list it: constraints by key, then type. */
function stated({ scopes, purpose, constraints, delMaxDepth }: ChainAuthority) {
  const name = ({ key, ...rest }: { key: string }) => [key, ...Object.keys(rest)].join()
  const sorted = [...constraints].sort((one, other) => (name(one) < name(other) ? -1 : 1))
  return { scopes, purpose, constraints: sorted, del_max_depth: delMaxDepth }
}
