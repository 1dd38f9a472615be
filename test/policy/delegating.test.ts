import { describe, expect, it } from 'vitest'
import type { Handing } from '../../src/policy/asking.ts'
import { readCatalogue } from '../../src/policy/catalogue.ts'
import { delegationRefused } from '../../src/policy/delegating.ts'
import { readPurposes } from '../../src/policy/purposes.ts'
import { runCases } from '../../src/policy/vet.ts'
import { IDS, NOW } from '../fakes/settled.ts'
import { type Applying, simplePolicies } from './simple-rules.ts'
import { files, parse } from './world.ts'

const { catalogue } = readCatalogue(files, parse)
const { purposes } = readPurposes(files)

const handing: Handing = {
  delegator: { kind: 'agent', hop: 0, id: IDS.agent, sponsor: IDS.sponsor, model: null },
  ...{ delegate: 'agt_worker', isSameSponsor: true, scopes: ['sql.query'] },
  ...{ purpose: 'reporting', depth: 1 },
}
const refused = (applying: Applying, of: Partial<Handing> = {}) =>
  delegationRefused(
    { policies: simplePolicies(applying), catalogue, purposes },
    { ...handing, ...of },
    NOW,
  )

describe('a rule about handing on', () => {
  const rule = `@id("drops-stay") @say("refunds are handed on once")
    forbid (principal, action == Action::"delegate", resource in ToolGroup::"payments")
    when { context.depth > 1 || !context.same_sponsor };`
  const cases = `
- name: once
  given: { delegate: {}, tool: payments.refund, purpose: support }
  expect: { answer: allow }
- name: not twice
  given: { delegate: { depth: 2 }, tool: payments.refund, purpose: support }
  expect: { answer: deny, reason: forbid, rules: drops-stay, stopped: agent }
- name: not to another's agent
  given: { delegate: { same_sponsor: false }, tool: payments.refund, purpose: support }
  expect: { answer: deny, rules: drops-stay }
- name: and it is about no other tool
  given: { delegate: { depth: 2 }, tool: sql.query, purpose: support }
  expect: { answer: allow }
`
  it('is vetted with its cases like any other', async () => {
    const set = { ...files, 'handing.cedar': rule, 'handing.test.yaml': cases }
    const { files: reports } = await runCases(set)
    const report = reports.find(({ file }) => file === 'handing.cedar')
    expect(report).toMatchObject({ rules: 1, cases: 4, failures: [] })
    const wrong = { ...set, 'handing.cedar': rule.replace('depth > 1', 'depth > 2') }
    const { files: failing } = await runCases(wrong)
    expect(failing.flatMap(({ failures }) => failures)).toHaveLength(1)
  })
})

describe('handing a tool on', () => {
  it('takes no rule that permits it: the consent says to whom', () => {
    expect(refused({})).toBeNull()
    expect(refused({ Agent: ['may'] })).toBeNull()
  })

  it('is forbidden by a rule that forbids it, and the one who hands it on is told which', () => {
    expect(refused({ Agent: ['may', 'never'] })).toMatchObject({
      ...{ code: 'access_denied', reason: 'forbid', rules: [{ id: 'never' }] },
      stoppedBy: { hop: 0, kind: 'agent', id: IDS.agent },
      detail: "forbid 'never' applied at hop 0: says never",
    })
  })

  it('is forbidden by a rule that asks a person, for the hop is signed already', () => {
    expect(refused({ Agent: ['may', 'ask-dba'] })).toMatchObject({ rules: [{ id: 'ask-dba' }] })
  })

  it('is looked at for each declared tool that is handed on, and for no other', () => {
    expect(refused({ Agent: ['never'] }, { scopes: ['crm.read', 'opaque'] })).toBeNull()
    expect(refused({ Agent: ['never'] }, { scopes: ['sql.*'] })).not.toBeNull()
  })

  it('is no answer where the rules cannot be evaluated', () => {
    expect(() => refused({ Agent: ['trap'] })).toThrow(
      expect.objectContaining({
        code: 'policy_error',
        shown: { evaluation: { status: 'not_evaluated', unavailableInput: 'policy' } },
      }),
    )
  })
})
