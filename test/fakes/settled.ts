/** A settled decision, as the parts would make it, for whatever only has to show one. */
import { authorityOf, type Consent } from '../../src/domain/consent.ts'
import type { Answer, Rule, Settled } from '../../src/domain/decision.ts'
import type { Tool } from '../../src/domain/tool.ts'

export const NOW = new Date('2026-11-21T10:00:00.000Z')
export const DIGEST = 'fbfnsQ0u47vGXrwFaA1bgPkYgFGnM3NbLvFPWeBJl2w'
const id = <Prefix extends string>(prefix: Prefix, digit: string): `${Prefix}_${string}` =>
  `${prefix}_01m7ysq11heassstccc64q4cf${digit}`

export const IDS = {
  sponsor: id('spn', '1'),
  agent: id('agt', '1'),
  instance: id('ins', '1'),
  consent: id('con', '1'),
  decision: id('dec', '1'),
  approval: id('apr', '1'),
  credential: id('crd', '1'),
  revocation: id('rev', '1'),
  event: id('evt', '1'),
}

export function aConsent(of: Partial<Consent> = {}): Consent {
  return {
    ...{ id: IDS.consent, sponsor: IDS.sponsor, termsHash: DIGEST, status: 'active', uses: 4 },
    terms: {
      ...{ agent: IDS.agent, tools: ['sql.query'], purpose: 'support', constraints: [] },
      ...{ expiresAt: new Date('2026-12-21T10:00:00.000Z'), maxUses: 40, maxHops: 0 },
      ...{ delegates: 'same_sponsor', maxTtlSeconds: 300 },
    },
    createdAt: NOW,
    ...of,
  }
}

const RULE: Rule = {
  ...{ id: 'orders-may-be-read', effect: 'permit', says: 'Orders may be read', asks: null },
  ...{ how: 'session', withinSeconds: 0 },
}
export const STOPPED_BY = { hop: 0, kind: 'agent', id: IDS.agent } as const

type Kinds = { readonly [Kind in Answer['kind']]: Extract<Answer, { kind: Kind }> }

export const ANSWERS: Kinds = {
  allow: { kind: 'allow', rules: [RULE] },
  ask: {
    ...{ kind: 'ask', rules: [{ ...RULE, id: 'gate', effect: 'forbid', asks: 'dba' }] },
    asked: { rules: ['gate'], of: ['dba'], level: 'L2', withinSeconds: 300 },
    stoppedBy: STOPPED_BY,
  },
  deny: {
    ...{ kind: 'deny', code: 'access_denied', rules: [], stoppedBy: STOPPED_BY },
    ...{ reason: 'forbid', detail: "forbid 'payroll-is-closed' applied at hop 0" },
  },
  none: {
    ...{ kind: 'none', code: 'policy_error', rules: [], stoppedBy: STOPPED_BY, input: 'policy' },
  },
}

const TOOL: Tool = {
  ...{ name: 'sql.query', title: 'Ask the database', target: 'orders', connector: 'postgres' },
  ...{ groups: [], risk: 'low', dataClasses: [], senderConstraint: 'none' },
  ...{ ttlSecondsDefault: 60, ttlSecondsMax: 300, argumentsSchema: {}, facts: {}, grant: {} },
  hash: DIGEST,
}

export function aSettled(kind: Answer['kind']): Settled {
  const consent = aConsent()
  const hop = {
    ...{ depth: 0, agent: IDS.agent, instance: null, jkt: null, purpose: 'support' },
    ...{ expiresAt: consent.terms.expiresAt, model: null, tokenHash: null, delegation: null },
  }
  const chain = {
    ...{ consent, sponsorGroups: [], readAt: NOW, hops: [hop] as const, session: null },
    effective: authorityOf(consent.terms),
    accounts: [{ id: consent.id, bounds: authorityOf(consent.terms).constraints }],
  }
  const call = {
    ...{ tool: TOOL, arguments: {}, argsHash: DIGEST, facts: { verbs: ['select'] } },
    ...{ factsHash: DIGEST, purpose: null, ttlSeconds: 60 },
  }
  const debit = { account: IDS.consent, key: 'calls', type: 'max_subtree', amount: 1 } as const
  const principal = { hop: 0, id: IDS.agent, sponsor: IDS.sponsor, model: null } as const
  const decision = {
    ...{ id: IDS.decision, answer: ANSWERS[kind], chain, call, purpose: 'support' },
    verdicts: [{ rule: RULE, verdict: 'satisfied', hop: 0 } as const],
    principals: [{ kind: 'agent' as const, ...principal, answer: kind }],
    level: kind === 'allow' ? ('L1' as const) : null,
    ...{ ttlSeconds: 60, grant: null, debits: kind === 'allow' ? [debit] : [], approval: null },
    ...{ credential: IDS.credential, requestHash: DIGEST, bindingHash: DIGEST },
    ...{ policySetHash: DIGEST, policyEpoch: 1, schemaHash: DIGEST, contextHash: DIGEST },
    evaluator: 'cedar-wasm' as const,
    snapshot: {},
  }
  return { decision, revocationEpoch: 0, spent: [], asked: null }
}
