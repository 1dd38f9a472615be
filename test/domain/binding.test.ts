import { describe, expect, it } from 'vitest'
import { bindingHash, requestHash } from '../../src/domain/binding.ts'
import type { Chain, Hop } from '../../src/domain/chain.ts'
import { digestOf } from '../../src/domain/digest.ts'
import type { ToolCall } from '../../src/domain/tool.ts'
import { aSettled, DIGEST, IDS } from '../fakes/settled.ts'

const { chain, call } = aSettled('allow').decision
const { tool } = call
const hopped = (of: Partial<Hop>): Chain => ({ ...chain, hops: [{ ...chain.hops[0], ...of }] })

const exact = {
  ...{ args_hash: DIGEST, purpose: 'support', sub: IDS.sponsor, target: 'orders' },
  ...{ tool: 'sql.query', tool_hash: DIGEST, ttl_seconds: 60, consent_id: IDS.consent },
}
const changed: [string, Chain, ToolCall][] = [
  ['arguments', chain, { ...call, argsHash: 'x' }],
  ['purpose', chain, { ...call, purpose: 'x' }],
  ['lifetime', chain, { ...call, ttlSeconds: 61 }],
  ['tool', chain, { ...call, tool: { ...tool, name: 'x.y' } }],
  ['version of the tool', chain, { ...call, tool: { ...tool, hash: 'x' } }],
  ['target', chain, { ...call, tool: { ...tool, target: 'x' } }],
  ['sponsor', { ...chain, consent: { ...chain.consent, sponsor: 'spn_x' } }, call],
  ['consent', { ...chain, consent: { ...chain.consent, id: 'con_x' } }, call],
  ['agent', hopped({ agent: 'agt_x' }), call],
]

describe('what a yes is to', () => {
  it('is exactly this, in the one form that approvers sign', () => {
    const hash = digestOf({ ...exact, level: 'L2', path: [IDS.agent] })
    expect(bindingHash(chain, call, 'L2')).toBe(hash)
    expect(bindingHash(chain, { ...call, purpose: 'support' }, 'L2')).toBe(hash)
  })

  it.each(changed)('is another with another %s', (_what, other, asked) => {
    expect(bindingHash(other, asked, 'L2')).not.toBe(bindingHash(chain, call, 'L2'))
  })
})

describe('what was asked', () => {
  it('is exactly this, by exactly this run of the agent', () => {
    const hash = (jkt: string | null) =>
      digestOf({ ...exact, chain: null, client_id: IDS.agent, jkt })
    expect(requestHash(chain, call)).toBe(hash(null))
    expect(requestHash(hopped({ jkt: 'key' }), call)).toBe(hash('key'))
  })

  it.each(changed)('is another with another %s', (_what, other, asked) => {
    expect(requestHash(other, asked)).not.toBe(requestHash(chain, call))
  })
})
