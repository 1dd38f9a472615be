/** What a decision rests on, each thing gone by itself, and all of it at once. */
import { describe, expect, it } from 'vitest'
import type { Hop } from '../../src/domain/chain.ts'
import { type Resting, type State, stopOf } from '../../src/revocation/stop-of.ts'
import { aSettled } from '../fakes/settled.ts'

const NOW = new Date('2026-01-01T12:00:00.000Z')
const later = (ms: number) => new Date(NOW.getTime() + ms)
const { chain } = aSettled('allow').decision

const hop = (depth: number): Hop => ({
  ...{ depth, agent: `agt_${String(depth)}`, instance: `ins_${String(depth)}` },
  ...{ jkt: `jkt_${String(depth)}`, tokenHash: `hash_${String(depth)}`, purpose: 'support' },
  ...{ delegation: depth === 0 ? null : `dlg_${String(depth)}`, expiresAt: later(1), model: null },
})
const hops = [hop(0), hop(1), hop(2)] as const
const resting: Resting = {
  consent: { ...chain.consent, id: 'con_1', sponsor: 'spn_1' },
  ...{ hops, session: 'ses_1' },
}
const holds: State = {
  ...{ stopped: [], retired: [], frozen: [], is_withdrawn: false, expires_at: later(1) },
}
const told = (state: Partial<State>, of: Resting = resting) => {
  const stop = stopOf(of, { ...holds, ...state }, NOW)
  if (stop === null) return null
  const { code, stoppedBy, detail } = stop
  return [code, 'outcome' in stop ? stop.outcome : null, stoppedBy.hop, stoppedBy.id, detail]
}
const agentStopped = (depth: number) => [
  ...['chain_invalid', 'revoked', depth, `agt_${String(depth)}`, 'the agent was stopped'],
]
const consentStopped = ['chain_invalid', 'revoked', null, 'con_1', 'the consent was stopped']
const consentOver = ['chain_invalid', 'expired', null, 'con_1', 'the time of the consent is over']

it('holds where nothing is gone, to the last moment', () => {
  expect(told({})).toBeNull()
  expect(told({ stopped: ['con_2', 'agt_3', ''] })).toBeNull()
})

describe('is stopped by', () => {
  it.each<[string, Partial<State>, unknown]>([
    ...[0, 1, 2].flatMap((depth) =>
      ['agt', 'ins', 'jkt', 'hash', ...(depth === 0 ? [] : ['dlg'])].map(
        (kind): [string, Partial<State>, unknown] => [
          `${kind} of hop ${String(depth)}`,
          { stopped: [`${kind}_${String(depth)}`] },
          agentStopped(depth),
        ],
      ),
    ),
    ['an agent that is retired', { retired: ['agt_1'] }, agentStopped(1)],
    ['the session, which is its holder', { stopped: ['ses_1'] }, agentStopped(2)],
    [
      'the sponsor',
      { stopped: ['spn_1'] },
      ['chain_invalid', 'revoked', null, 'spn_1', 'the sponsor was stopped'],
    ],
    ['the consent', { stopped: ['con_1'] }, consentStopped],
    ['a consent that was withdrawn', { is_withdrawn: true }, consentStopped],
    ['a consent that is not there', { is_withdrawn: null, expires_at: null }, consentStopped],
    ['a consent without an end', { expires_at: null }, consentOver],
    ['a consent that ends now', { expires_at: NOW }, consentOver],
  ])('%s', (_, state, stop) => {
    expect(told(state)).toEqual(stop)
  })

  it.each([0, 1, 2])('the end of hop %i, at its very moment', (depth) => {
    const ending = hops.map((it) => (it.depth === depth ? { ...it, expiresAt: NOW } : it))
    const over = ['chain_invalid', 'expired', depth, `agt_${String(depth)}`]
    expect(told({}, { ...resting, hops: ending as unknown as Resting['hops'] })).toEqual([
      ...over,
      'the time of the agent is over',
    ])
  })

  it('nothing of what a hop does not have', () => {
    const bare = { ...hop(0), instance: null, jkt: null, tokenHash: null }
    const state = { stopped: [null, 'null', 'undefined'] as unknown as string[] }
    expect(told(state, { ...resting, hops: [bare] as unknown as Resting['hops'] })).toBeNull()
  })
})

describe('is held back by a freeze of', () => {
  it.each([
    ['everything', [''], [2, 'agt_2', 'everything is frozen']],
    ['everything, and more', ['tool.x', 'spn_1', ''], [2, 'agt_2', 'everything is frozen']],
    ['the sponsor', ['spn_1'], [null, 'spn_1', 'the sponsor is frozen']],
    ['an agent', ['agt_1'], [1, 'agt_1', 'the agent is frozen']],
    ['the tool', ['tool.x'], [2, 'agt_2', 'the tool is frozen']],
    ['the tool, and an agent’s sponsor', ['spn_2', 'tool.x'], [2, 'agt_2', 'the tool is frozen']],
    ['the sponsor of an agent', ['spn_2'], [2, 'agt_2', 'the sponsor of an agent is frozen']],
  ])('%s', (_, frozen, who) => {
    expect(told({ frozen })).toEqual(['frozen', null, ...who])
  })
})

it('names what is final before what may pass, and who is above before who is below', () => {
  const all = ['spn_1', 'con_1', 'agt_0', 'agt_1', 'ses_1']
  const gone: Partial<State> = {
    ...{ stopped: all, is_withdrawn: true, expires_at: NOW, frozen: [''] },
  }
  const ids = all.map((_, from) => told({ ...gone, stopped: all.slice(from) })?.[3])
  expect(ids).toEqual(['spn_1', 'con_1', 'agt_0', 'agt_1', 'con_1'])
  expect(told({ ...gone, stopped: ['ses_1'], is_withdrawn: false })).toEqual(agentStopped(2))
  expect(told({ expires_at: NOW, frozen: [''] })).toEqual(consentOver)
})
