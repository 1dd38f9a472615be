import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import {
  type Act,
  aLog,
  exportOf,
  first,
  forged,
  leavesOf,
  member,
  moved,
  rewritten,
  twice,
  VKEY,
  without,
} from '../fakes/ledger-export.ts'

const honest = forged((log) => log)
const indexOf = (act: Act) => aLog().findIndex((entry) => entry.act === act)
const check = (lines: Iterable<string>) => verifyLedger(lines, { vkeys: [VKEY] })

describe('a log that was signed as it is', () => {
  // prettier-ignore
  it.each<[string, string, Act | number, () => string[]]>([
    ['no opening', 'opening', 0, () => without('opened')],
    ['a second opening', 'opening', 'registered', () => twice('opened')],
    ['an unknown type', 'type', 'ended', () => rewritten('ended', (r) => (r['event_type'] = 'toString'))],
    ['another version', 'type', 'ended', () => rewritten('ended', (r) => (r['v'] = 2))],
    ['no actor', 'members', 'ended', () => rewritten('ended', (r) => delete r['actor'])],
    ['no evaluation', 'members', 'denied', () => rewritten('denied', (r) => delete r['evaluation'])],
    ['a null chain of a decision that was evaluated', 'members', 'denied', () => rewritten('denied', (r) => (r['chain'] = null))],
    ['no credential of a use', 'members', 'ended', () => rewritten('ended', (r) => Object.assign(r, { event_type: 'usage', call: {}, credential: {} }))],
    ['a clock that went back', 'time', 'ended', () => rewritten('ended', (r) => (r['recorded_at'] = '2026-11-21T10:00:00.000Z'))],
    ['a session before its consent', 'consent', 'granted', () => moved('session', 'granted')],
    ['an allow before its consent', 'consent', 'granted', () => moved('allowA', 'granted')],
    ['an ask under no consent', 'consent', 'ask', () => rewritten('ask', (r) => (r['consent_id'] = 'con_9'))],
    ["an allow under another sponsor's consent", 'consent', 'allowA', () => rewritten('allowA', (r) => (r['sponsor_id'] = 'spn_9'))],
    ['a consent granted twice', 'consent', 'session', () => twice('granted')],
    ['an answer that there is not', 'decision', 'denied', () => rewritten('denied', (r) => (member(r, 'decision')['answer'] = 'maybe'))],
    ['a denial that was not evaluated', 'evaluation', 'unevaluated', () => rewritten('unevaluated', (r) => { member(r, 'decision')['answer'] = 'deny'; Object.assign(r, { consent_id: 'con_1', sponsor_id: 'spn_1', chain: {} }) })],
    ['an outage that was evaluated', 'evaluation', 'denied', () => rewritten('denied', (r) => (member(r, 'decision')['answer'] = 'none'))],
    ['an issuance without a decision', 'decision', 'allowA', () => without('allowA')],
    ['an issuance before its decision', 'decision', 'allowA', () => moved('issueA', 'allowA')],
    ['an issuance on a denial', 'decision', 'issueA', () => rewritten('allowA', (r) => { member(r, 'decision')['answer'] = 'deny'; delete r['budgets'] })],
    ['two issuances on one decision', 'decision', 'denied', () => twice('issueA')],
    ['two decisions with one id', 'decision', 'issueA', () => twice('allowA')],
    ['an approval that was opened twice', 'approval', 'approved', () => twice('asked')],
    ['budgets that are no list', 'budget', 'allowA', () => rewritten('allowA', (r) => (r['budgets'] = {}))],
    ['an allow to an agent already retired', 'revoked', 'allowB', () => rewritten('approved', (r) => Object.assign(r, { event_type: 'agent_retired', sponsor_id: 'spn_1', change: { name: 'agt_1' }}))],
    ['an issuance after it failed', 'decision', 'ended', () => rewritten('ended', (r) => Object.assign(r, JSON.parse((honest[indexOf('issueA')] ?? '').replaceAll('_a"', '_c"')), { recorded_at: r['recorded_at']}))],
    ['an issuance for other arguments', 'decision', 'issueA', () => rewritten('issueA', (r) => (member(r, 'call')['args_hash'] = 'other'))],
    ['an issuance for another request', 'decision', 'issueA', () => rewritten('issueA', (r) => (member(r, 'call')['request_hash'] = 'other'))],
    ['an issuance at another target', 'decision', 'issueA', () => rewritten('issueA', (r) => (member(r, 'call')['target'] = 'other'))],
    ['a credential that lives longer', 'decision', 'issueA', () => rewritten('issueA', (r) => (member(r, 'credential')['ttl_seconds'] = 61))],
    ['an approved call without the yes', 'approval', 'allowB', () => rewritten('allowB', (r) => delete r['approval'])],
    ['a yes that was never given', 'approval', 'approved', () => without('approved')],
    ['a yes after its use', 'approval', 'approved', () => moved('allowB', 'approved')],
    ['a yes to something else', 'approval', 'approved', () => rewritten('approved', (r) => (member(r, 'approval')['binding_hash'] = 'other'))],
    ['a yes used for something else', 'approval', 'allowB', () => rewritten('allowB', (r) => (member(r, 'approval')['binding_hash'] = 'other'))],
    ['a no that was used', 'approval', 'allowB', () => rewritten('approved', (r) => Object.assign(member(r, 'approval'), { status: 'denied', decision: 'deny' }))],
    ['a yes that nobody gave', 'approval', 'approved', () => rewritten('approved', (r) => (member(r, 'approval')['decision'] = null))],
    ['a yes of one where two were needed', 'approval', 'approved', () => rewritten('asked', (r) => (member(member(r, 'approval'), 'quorum')['needed'] = 2))],
    ['a yes that had come to its end', 'approval', 'allowB', () => rewritten('approved', (r) => (member(r, 'approval')['approved_until'] = '2026-11-21T10:16:05.000Z'))],
    ['a yes used twice', 'approval', 'allowC', () => rewritten('allowC', (r) => (r['approval'] = { id: 'apr_1', binding_hash: 'b' }))],
    ['an approval that nobody asked for', 'approval', 'asked', () => without('asked')],
    ['a budget beyond its limit', 'budget', 'allowC', () => rewritten('allowC', (r) => (first(r, 'budgets')['limit'] = 2))],
    ['a sum that is not right', 'budget', 'allowB', () => rewritten('allowB', (r) => (first(r, 'budgets')['used_after'] = 1))],
    ['a debit that was left out', 'budget', 'allowB', () => rewritten('allowA', (r) => delete r['budgets'])],
    ['a debit that is a refund', 'budget', 'allowB', () => rewritten('allowB', (r) => Object.assign(first(r, 'budgets'), { debited: -1, used_after: 0 }))],
    ['a refund that is a debit', 'budget', 'failedC', () => rewritten('failedC', (r) => Object.assign(first(r, 'budgets'), { debited: 1, used_after: 4 }))],
    ['an allow under a consent already withdrawn', 'revoked', indexOf('allowC') + 1, () => moved('withdrawn', 'allowC')],
    ['an issuance under a consent already withdrawn', 'revoked', indexOf('issueB') + 1, () => moved('withdrawn', 'issueB')],
    ['a session under a consent already withdrawn', 'revoked', indexOf('session') + 1, () => moved('withdrawn', 'session')],
  ])('is found out for %s', async (_what, rule, where, leaves) => {
    expect(await check(exportOf(honest))).toMatchObject({ ok: true })
    const index = typeof where === 'number' ? where : indexOf(where)
    const verdict = await check(exportOf(leaves()))
    expect(verdict).toMatchObject({ ok: false, rule })
    expect(index).toBe((verdict as { index: number }).index)
  })

  it.each(['agt_1', 'ins_1', 'spn_1', 'crd_b'])(
    'is found out for an issuance after %s was revoked',
    async (id) => {
      const leaves = forged((log) => {
        const stop = log.find(({ act }) => act === 'withdrawn')
        if (stop) member(member(stop.record, 'remediation'), 'target')['id'] = id
        const rest = log.filter((entry) => entry !== stop)
        const at = rest.findIndex(({ act }) => act === 'issueB')
        return rest
          .toSpliced(at, 0, ...(stop ? [stop] : []))
          .map(({ act, record }) => ({ act, record: { ...record, clock_regressed: true } }))
      })
      const index = indexOf('issueB') + 1
      expect(await check(exportOf(leaves))).toMatchObject({ ok: false, rule: 'revoked', index })
    },
  )

  /** The log with a freeze before `act`, lifted again before the one after if that is said. */
  function frozen(target: JsonObject, before: Act, isLifted = false) {
    return forged((log) => {
      const stop = log.find(({ act }) => act === 'withdrawn')
      const rest = log.filter((entry) => entry !== stop)
      const at = rest.findIndex(({ act }) => act === before)
      const change = (outcome: string) => ({
        act: 'withdrawn' as const,
        record: {
          ...structuredClone(stop?.record ?? {}),
          ...{ event_type: 'freeze', remediation: { id: 'rev_1', target, outcome } },
        },
      })
      const changes = isLifted ? [change('frozen'), change('lifted')] : [change('frozen')]
      return rest
        .toSpliced(at, 0, ...changes)
        .map(({ act, record }) => ({ act, record: { ...record, clock_regressed: true } }))
    })
  }

  it.each<[string, JsonObject, Act]>([
    ['an issuance', { kind: 'everything' }, 'issueB'],
    ['an issuance', { kind: 'agent', id: 'agt_1' }, 'issueB'],
    ['an issuance', { kind: 'sponsor', id: 'spn_1' }, 'issueB'],
    ['an allow', { kind: 'agent', id: 'agt_1' }, 'allowA'],
    ['a session', { kind: 'everything' }, 'session'],
  ])(
    'is found out for %s while %j was frozen, and not after it was lifted',
    async (_what, of, act) => {
      const index = indexOf(act) + 1
      const verdict = await check(exportOf(frozen(of, act)))
      expect(verdict).toMatchObject({ ok: false, rule: 'frozen', index })
      expect(await check(exportOf(frozen(of, act, true)))).toMatchObject({ ok: true })
    },
  )

  it('lets a session begin while its tool, agent or sponsor is frozen: it opens nothing', async () => {
    for (const of of [
      { kind: 'agent', id: 'agt_1' },
      { kind: 'tool', id: 'no.such' },
    ]) {
      const leaves = frozen(of, 'session')
      const verdict = await check(exportOf(leaves))
      if (of.kind === 'tool') expect(verdict).toMatchObject({ ok: true })
      else expect((verdict as { index?: number }).index).toBeGreaterThan(indexOf('session') + 1)
    }
  })

  it('may say that its clock went back', async () => {
    const leaves = rewritten('ended', (record) => {
      record['recorded_at'] = '2026-11-21T10:00:00.000Z'
      record['clock_regressed'] = true
    })
    expect(await check(exportOf(leaves))).toMatchObject({ ok: true })
  })

  /** What a gateway was told, of the call that has a yes. */
  const withQuestion = (before: Act, change: (log: ReturnType<typeof aLog>) => void = () => {}) =>
    forged((log) => {
      const asked = structuredClone(log.find(({ act }) => act === 'allowB')?.record ?? {})
      Object.assign(asked, { face: 'authzen', event_id: 'evt_asked', clock_regressed: true })
      Reflect.deleteProperty(asked, 'budgets')
      member(asked, 'decision')['id'] = 'dec_asked'
      change(log)
      const at = log.findIndex(({ act }) => act === before)
      return log.toSpliced(at, 0, { act: 'allowB', record: asked })
    })

  it('may tell gateways of a yes, which stays unused, and on which nothing is issued', async () => {
    expect(await check(exportOf(withQuestion('allowB')))).toMatchObject({ ok: true })
    const issued = withQuestion('allowB', (log) => {
      for (const { act, record } of log)
        if (act === 'issueB') member(record, 'credential')['decision_id'] = 'dec_asked'
    })
    expect(await check(exportOf(issued))).toMatchObject({
      ...{ ok: false, rule: 'decision', index: indexOf('issueB') + 1 },
    })
  })

  it('is found out for a gateway that was told of a yes that was used up', async () => {
    expect(await check(exportOf(withQuestion('issueB')))).toMatchObject({
      ...{ ok: false, rule: 'approval', index: indexOf('issueB') },
    })
  })

  it('may give a yes back when nothing was issued', async () => {
    const leaves = rewritten('issueB', (record) => {
      for (const name of Object.keys(record))
        if (name !== 'recorded_at') Reflect.deleteProperty(record, name)
      const failed = JSON.parse(honest[indexOf('failedC')] ?? '') as JsonObject
      Object.assign(record, { ...failed, recorded_at: record['recorded_at'] })
      Object.assign(member(record, 'credential'), { id: 'crd_b', decision_id: 'dec_b' })
      Object.assign(first(record, 'budgets'), { used_after: 1 })
    })
    const again = leaves.map((leaf) => JSON.parse(leaf) as JsonObject)
    const allowC = again[indexOf('allowC')] ?? {}
    allowC['approval'] = { id: 'apr_1', binding_hash: 'b' }
    Object.assign(first(allowC, 'budgets'), { used_after: 2 })
    Object.assign(first(again[indexOf('failedC')] ?? {}, 'budgets'), { used_after: 1 })
    expect(await check(exportOf(leavesOf(again)))).toMatchObject({ ok: true })
  })
})
