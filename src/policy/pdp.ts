/** The PDP: reads calls, decides, and signs what is on record as allowed. It never sees a credential. */
import type { Pool } from 'pg'
import type { Chain } from '../domain/chain.ts'
import type { Terms } from '../domain/consent.ts'
import type { Decision, Deny, Ruling, Settled } from '../domain/decision.ts'
import type { PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Signer } from '../domain/jws.ts'
import type { Meter } from '../domain/meter.ts'
import { unavailable } from '../domain/problems.ts'
import type { Question } from '../domain/question.ts'
import type { Recorded } from '../domain/recorded.ts'
import type { CredentialRequest } from '../domain/request.ts'
import { toldOf } from '../domain/ruling.ts'
import { covers } from '../domain/scope.ts'
import type { Tool, ToolCall } from '../domain/tool.ts'
import { type Handing, sponsorOf } from './asking.ts'
import { readCall } from './call.ts'
import { createEngine } from './cedar.ts'
import { consentRefused } from './consenting.ts'
import { decide } from './decide.ts'
import { delegationRefused } from './delegating.ts'
import type { Evaluation } from './evaluate.ts'
import { type Every, everyMs } from './every.ts'
import { loadGrammar } from './grammar.ts'
import type { InForce } from './policy-set.ts'
import {
  createPublisher,
  type PolicyEvaluator,
  type Publisher,
  type Records,
  type Report,
} from './publish.ts'
import { createReplay } from './replay.ts'
import { sign } from './sign.ts'

export interface PdpOptions {
  readonly tenant: string
  /** Connections of role `procura_pdp`. */
  readonly pool: Pool
  /** The front side's: publishing is its act. */
  readonly ledger: Records
  /** The keys of `pdp-decision+jwt`. */
  readonly signer: Signer
  readonly report: Report
  readonly every?: Every
  readonly evaluator?: PolicyEvaluator
  readonly meter?: Meter
}

export interface Pdp extends Omit<Publisher, 'current' | 'isBehind'> {
  /** Throws `unknown_tool`, `unknown_purpose`, `arguments_invalid`; 503 without a policy set. */
  read(request: CredentialRequest): ToolCall
  decide(chain: Chain, question: Question): Promise<Decision>
  rule(recorded: Recorded<Settled>): Promise<Ruling>
  /**
   * Why this sponsor may not hand these tools on, or `null`; by which rules. Throws `unknown_tool` for a
   * pattern that covers no declared tool, `unknown_purpose`, `policy_error`.
   */
  mayConsent(sponsor: ConsentingPerson, terms: Terms, now: Date): Promise<Said>
  /** Why this hop may not be made, or `null`; by which rules. Throws `policy_error`. */
  mayDelegate(handing: Handing, now: Date): Promise<Said>
  isPurpose(purpose: string): boolean
  /** Whether a scope covers at least one declared tool. */
  isDeclared(scope: string): boolean
  tools(): readonly Tool[]
  /** There is a set in force, and the engine answers right what it is known to answer. */
  isHealthy(): boolean
  /** A recorded decision made again, from its snapshot, by the set that it names. */
  replay(snapshot: JsonObject): Promise<Evaluation>
}
/** What the rules say, and of which epoch they are. */
export interface Said {
  readonly refused: Deny | null
  readonly policyEpoch: number
}
export interface ConsentingPerson {
  readonly id: PersonId
  readonly groups: readonly string[]
}

/** Without a policy set in force it refuses everything: `publish`, `follow` or `watchFolder` brings one. */
export async function createPdp(options: PdpOptions): Promise<Pdp> {
  const { tenant, pool, ledger, signer, report, every = everyMs, evaluator = 'compiled' } = options
  const parse = await loadGrammar()
  const engine = createEngine()
  const differing = (what: string) => {
    options.meter?.count('procura_policy_differences_total')
    report('compiled rules and Cedar differ: Cedar decides alone', new Error(what))
  }
  const publisher = createPublisher({
    ...{ tenant, pool, ledger, engine, parse, every, report, evaluator, differing },
  })
  const { publish, follow, watchFolder } = publisher

  function inForce(): InForce {
    const set = publisher.current()
    if (set === null || !engine.isUsable()) throw unavailable('policy')
    return set
  }

  return {
    ...{ publish, follow, watchFolder },
    read(request) {
      const { catalogue, purposes } = inForce()
      return readCall(catalogue, purposes, request)
    },
    decide: (chain, question) =>
      new Promise((resolve) => {
        resolve(decide(inForce(), chain, question))
      }),
    async rule(recorded) {
      const { answer } = recorded.value.decision
      if (answer.kind === 'allow') return { kind: 'allow', signed: await sign(recorded, signer) }
      return toldOf(recorded.value)
    },
    mayConsent: (sponsor, terms, now) =>
      new Promise((resolve) => {
        const set = inForce()
        const refused = consentRefused(set, sponsorOf(sponsor.id, sponsor.groups), terms, now)
        resolve({ refused, policyEpoch: set.epoch })
      }),
    mayDelegate: (handing, now) =>
      new Promise((resolve) => {
        const set = inForce()
        resolve({ refused: delegationRefused(set, handing, now), policyEpoch: set.epoch })
      }),
    isPurpose: (purpose) => inForce().purposes.has(purpose),
    isDeclared: (scope) => [...inForce().catalogue.keys()].some((name) => covers(scope, name)),
    tools: () => [...inForce().catalogue.values()].map(({ tool }) => tool),
    isHealthy: () => publisher.current() !== null && !publisher.isBehind() && engine.isHealthy(),
    replay: createReplay({ tenant, pool, parse, current: publisher.current }),
  }
}
