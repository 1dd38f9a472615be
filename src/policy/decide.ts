/** Question → Decision: the evaluation, then what an allow gives, takes and lasts. Hashes, but no I/O. */
import { bindingHash, requestHash } from '../domain/binding.ts'
import { type Chain, leafOf } from '../domain/chain.ts'
import { debitsOf } from '../domain/debits.ts'
import type { Decision, Deny, StoppedBy } from '../domain/decision.ts'
import { digestOf } from '../domain/digest.ts'
import { newId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Question } from '../domain/question.ts'
import type { Posed } from './asking.ts'
import { type Evaluation, evaluate } from './evaluate.ts'
import { permissionsFor } from './grant.ts'
import { leaseSeconds, secondsLeft } from './lifetime.ts'
import type { InForce } from './policy-set.ts'
import { isExternal } from './purposes.ts'
import { snapshotOf } from './snapshot.ts'

/**
 * Decides by one set. The lifetime that rules see is what a lease would last, without an approval.
 *
 * @throws BrokerError `decision_stale` when the call was read under another version of its tool
 */
export function decide(set: InForce, chain: Chain, asked: Question): Decision {
  const { call, now } = asked
  if (set.catalogue.get(call.tool.name)?.tool.hash !== call.tool.hash) {
    throw new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } })
  }
  const question = {
    ...asked,
    ttlSeconds: leaseSeconds(chain, call, now),
    isExternal: isExternal(set.purposes, asked.purpose),
  }
  const bindings = { L2: bindingHash(chain, call, 'L2'), L3: bindingHash(chain, call, 'L3') }
  const evaluation = evaluate(set.policies, question, bindings)
  const snapshot = snapshotOf(set, { question, bindings })
  return {
    ...outcome(chain, question, evaluation),
    ...{ id: newId('dec', now), credential: newId('crd', now) },
    ...{ chain, call, purpose: question.purpose },
    requestHash: requestHash(chain, call),
    bindingHash: bindings[evaluation.level === 'L3' ? 'L3' : 'L2'],
    policySetHash: set.hash,
    policyEpoch: set.epoch,
    schemaHash: set.schemaHash,
    contextHash: digestOf(snapshot),
    snapshot,
  }
}

type Outcome = Evaluation & Pick<Decision, 'grant' | 'debits' | 'ttlSeconds'>

function outcome(chain: Chain, question: Posed, evaluation: Evaluation): Outcome {
  const yes = evaluation.approval === null ? null : question.approval
  const { call, ttlSeconds: longest, now } = question
  const ttlSeconds = yes ? Math.min(longest, secondsLeft(yes.approvedUntil, now)) : longest
  const nothing = { grant: null, debits: [], ttlSeconds }
  if (evaluation.answer.kind !== 'allow') return { ...evaluation, ...nothing }
  if (ttlSeconds < 1) return refused(evaluation, nothing, expired(chain))

  const granting = permissionsFor(call)
  if (!granting.ok) return refused(evaluation, nothing, unprepared(chain, granting.detail))
  const { target, connector, senderConstraint } = call.tool
  const permissions = { ...granting.permissions, ...digested(granting.digests) }
  return {
    ...evaluation,
    ttlSeconds,
    grant: { target, connector, permissions, ttlSeconds, senderConstraint },
    debits: debitsOf(chain.accounts, call),
  }
}

/** What a grant has only the digest of, such as a body: the lease's row need not hold it. */
function digested(values: Readonly<Record<string, JsonObject>> = {}): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, digestOf(value)]))
}

function refused(
  evaluation: Evaluation,
  nothing: Pick<Outcome, 'grant' | 'debits' | 'ttlSeconds'>,
  answer: Deny,
): Outcome {
  const leaf = evaluation.principals.length - 1
  const principals = evaluation.principals.map((principal, at) =>
    at === leaf ? { ...principal, answer: answer.kind } : principal,
  )
  return { ...evaluation, ...nothing, principals, answer, level: null, approval: null }
}

/** Less than a second is left of what a lease would rest on. */
function expired({ consent }: Chain): Deny {
  const stoppedBy: StoppedBy = { hop: null, kind: 'consent', id: consent.id }
  return {
    ...{ kind: 'deny', code: 'chain_invalid', outcome: 'expired', rules: [], stoppedBy },
    detail: 'less than a second is left of what it would rest on',
  }
}

function unprepared(chain: Chain, detail: string): Deny {
  const { depth, agent } = leafOf(chain)
  const stoppedBy: StoppedBy = { hop: depth, kind: 'agent', id: agent }
  return { kind: 'deny', code: 'access_denied', reason: 'no_permit', rules: [], stoppedBy, detail }
}
