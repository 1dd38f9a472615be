/** Consents, budgets, approvals and stops over one real database, and people who use them. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createApprovals } from '../../src/approvals/approvals.ts'
import { createBudgets } from '../../src/budgets/budgets.ts'
import { type ConsentsOptions, createConsents } from '../../src/consent/consents.ts'
import { bindingHash, requestHash } from '../../src/domain/binding.ts'
import { type Chain, chainAtDepthZero, type Standing } from '../../src/domain/chain.ts'
import { authorityOf, type Terms } from '../../src/domain/consent.ts'
import { debitsOf } from '../../src/domain/debits.ts'
import type { Answer, Decision, Settled } from '../../src/domain/decision.ts'
import { digestOf } from '../../src/domain/digest.ts'
import { type AgentId, type InstanceId, newId, type PersonId } from '../../src/domain/ids.ts'
import { ProvenInstance } from '../../src/domain/instance.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { type Signer, signingKey } from '../../src/domain/jws.ts'
import { type Person, ProvenPerson } from '../../src/domain/person.ts'
import { questionOf } from '../../src/domain/question.ts'
import { type By, bySystem, type RequestKey } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Tool, ToolCall } from '../../src/domain/tool.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { epochInForce } from '../../src/policy/stored-sets.ts'
import { createRevocation } from '../../src/revocation/revocation.ts'
import type { TestDatabase } from '../pg/database.ts'

export const TENANT = 'main'
const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const signer: Signer = {
  issuer: 'https://broker.example',
  keys: [signingKey({ kid: 'evd-1', alg: 'ES256', privateKey, publicKey })],
}

/** One replica's parts: their own pools and their own writers. */
export function parts(db: TestDatabase, changed: Partial<ConsentsOptions> = {}) {
  const pools = { front: db.pool('procura_front', 6), pdp: db.pool('procura_pdp', 6) }
  const logs = {
    front: createLog({ tenant: TENANT, pool: pools.front, door: 'append_registered', sealer }),
    pdp: createLog({ tenant: TENANT, pool: pools.pdp, door: 'append_decided', sealer }),
  }
  const shared = { tenant: TENANT, pools, ledger: logs.front, signer }
  const budgets = createBudgets({ tenant: TENANT, pool: pools.pdp })
  const approvals = createApprovals({ ...shared, signInAgeMax: 3600, openMax: 3 })
  const consents = createConsents({
    ...shared,
    mayConsent: async () => ({ refused: null, policyEpoch: await epochInForce(pools.pdp, TENANT) }),
    isPurpose: (purpose) => purpose.startsWith('support'),
    isDeclared: (scope) => scope.startsWith('crm.'),
    openAccounts: (tx, account, bounds) => budgets.openAccounts(tx, account, bounds),
    daysMax: 90,
    ...changed,
  })
  const [told, tripped]: [string[], string[]] = [[], []]
  const revocation = createRevocation({
    ...{ tenant: TENANT, pool: pools.front, ledger: logs.front },
    cancel: (tx, ids, act) => approvals.cancelAll(tx, ids, act),
    onStopped: ({ id }) => told.push(id),
    onTripped: (it) => tripped.push(it.kind === 'tool' ? it.decision : it.credential),
  })
  return { pools, logs, budgets, approvals, consents, revocation, told, tripped }
}
export type Parts = ReturnType<typeof parts>

/** A person on record, signed in `secondsAgo`. */
export async function aPerson(
  db: TestDatabase,
  person: Partial<Person> = {},
  secondsAgo = 10,
): Promise<ProvenPerson> {
  const id = newId('spn', new Date())
  const known: Person = {
    ...{ id, issuer: 'https://id.example', subject: id, display: 'Alice Example' },
    ...{ roles: ['sponsor'], groups: [], ...person },
  }
  await db.query(
    `insert into procura.person (tenant, id, issuer, subject, display, roles, groups)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [TENANT, id, known.issuer, known.subject, known.display, known.roles, known.groups],
  )
  return ProvenPerson.proven(known, new Date(Date.now() - secondsAgo * 1000), 'hash')
}

export async function anAgent(db: TestDatabase, sponsor: PersonId): Promise<AgentId> {
  const id = newId('agt', new Date())
  await db.query(
    `insert into procura.agent (tenant, id, sponsor, name, workload, workload_key, status,
       created_at, event_id)
     values ($1, $2, $3, 'desk', '{"kind":"spiffe","id":"spiffe://x"}', $2, 'active', now(), 'evt_x')`,
    [TENANT, id, sponsor],
  )
  return id
}

/** The policies in force have this epoch. */
export async function policies(db: TestDatabase, epoch = 1): Promise<void> {
  await db.query(
    `insert into procura.epoch (tenant, kind, value) values ($1, 'policy', $2)
     on conflict (tenant, kind) do update set value = $2`,
    [TENANT, epoch],
  )
}

export function by(key: Partial<RequestKey> | null = null): By {
  return {
    act: bySystem('request'),
    origin: { address: '192.0.2.1', userAgent: 'test' },
    key: key && { caller: 'someone', route: 'POST /x', key: 'k', fingerprint: 'f', ...key },
  }
}

export function theTerms(agent: AgentId, terms: Partial<Terms> = {}): Terms {
  return {
    ...{ agent, tools: ['crm.*'], purpose: 'support', constraints: [] },
    ...{ expiresAt: new Date(Date.now() + 3600_000), maxUses: 40, maxHops: 0 },
    ...{ delegates: 'same_sponsor', maxTtlSeconds: 300, ...terms },
  }
}

const TOOL: Tool = {
  ...{ name: 'crm.read', title: 'Read a customer', target: 'crm', connector: 'jwt', groups: [] },
  ...{ risk: 'low', dataClasses: [], senderConstraint: 'dpop', ttlSecondsDefault: 60 },
  ...{ ttlSecondsMax: 300, argumentsSchema: {}, facts: {}, grant: {}, hash: digestOf('tool') },
}

export function aCall(args: JsonObject = { amount: 1 }, tool: Partial<Tool> = {}): ToolCall {
  return {
    ...{ tool: { ...TOOL, ...tool }, arguments: args, argsHash: digestOf(args) },
    ...{ facts: {}, factsHash: digestOf({}), purpose: null, ttlSeconds: 60 },
  }
}

/** A run of the agent that stands on this. */
export function anInstance(standing: Pick<Standing, 'consent'>): ProvenInstance {
  const { consent } = standing
  const instance: InstanceId = newId('ins', new Date())
  return ProvenInstance.proven(
    {
      ...{ agent: consent.terms.agent, instance, sponsor: consent.sponsor, consent: consent.id },
      ...{ delegation: null, authority: authorityOf(consent.terms), model: null },
      jti: `jti-${instance}`,
      ...{ expiresAt: new Date(Date.now() + 600_000), tokenHash: 'hash' },
    },
    'jkt',
  )
}

export function aChain(standing: Standing): Chain {
  return chainAtDepthZero(standing, anInstance(standing))
}

export const ALLOW: Answer = { kind: 'allow', rules: [] }
export function ask(chain: Chain, of = ['dba'], level: 'L2' | 'L3' = 'L2'): Answer {
  const asked = { rules: ['needs-person'], of, level, withinSeconds: 300 }
  const stoppedBy = { hop: 0, kind: 'agent', id: chain.hops[0].agent } as const
  return { kind: 'ask', rules: [], asked, stoppedBy }
}

export function aDecision(chain: Chain, decided: Partial<Decision> = {}): Decision {
  const { answer = ALLOW, call = aCall() } = decided
  const now = new Date()
  const level = answer.kind === 'ask' ? answer.asked.level : 'L1'
  const { principals } = questionOf(chain, call, null)
  return {
    ...{ id: newId('dec', now), answer, verdicts: [], level, chain, call, purpose: 'support' },
    principals: principals.map((principal) => ({ ...principal, answer: answer.kind })),
    ...{ ttlSeconds: 60, grant: null, debits: debitsOf(chain.accounts, call), approval: null },
    ...{ credential: newId('crd', now), requestHash: requestHash(chain, call) },
    bindingHash: bindingHash(chain, call, level === 'L1' ? 'L2' : level),
    ...{ policySetHash: 'p', policyEpoch: 1, schemaHash: 's', contextHash: 'c', snapshot: {} },
    evaluator: 'cedar-wasm',
    ...decided,
  }
}

/** Records as the story does it: stops, debits, the use of a yes, the question to people. */
export async function settle(
  { logs, revocation, budgets, approvals }: Parts,
  decision: Decision,
  why?: string,
): Promise<Settled> {
  const { value } = await logs.pdp.record(null, async (tx) => {
    const { stop, epoch, debited } = await revocation.debitInForce(tx, decision)
    const outcome = stop ?? budgets.spentOf(decision, debited)
    const final = 'kind' in outcome ? { ...decision, answer: outcome, approval: null } : decision
    await approvals.spend(tx, final)
    const asked = await approvals.openIfAsked(tx, final, why)
    const spent = 'kind' in outcome ? [] : outcome
    const settled: Settled = { decision: final, revocationEpoch: epoch, spent, asked }
    return {
      entries: [{ type: 'decision', act: bySystem('r'), settled }],
      value: settled,
      answer: null,
    }
  })
  return value
}
