/** Whether a word counts: whose it is, when, and about what. */
import type { Approval } from '../domain/approval.ts'
import { sameDigest } from '../domain/digest.ts'
import type { ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import { standingOf } from './asked.ts'

export interface Verdict {
  readonly decision: 'approve' | 'deny'
  readonly bindingHash: string
  readonly reason: string | null
  readonly approvedUntil: Date | null
}

/** @throws BrokerError `self_approval`, `approver_not_allowed` */
export function refuseUnlessAsked({ person }: ProvenPerson, { asked, sponsor }: Approval): void {
  const standing = standingOf(person, asked, sponsor)
  if (standing === 'own_chain') throw new BrokerError('self_approval')
  if (standing === 'not_asked') throw new BrokerError('approver_not_allowed')
}

/** A sign-in of unknown age is too old. @param ageMax seconds @throws BrokerError */
export function refuseOldSignIn(
  { authenticatedAt }: ProvenPerson,
  ageMax: number | null,
  now: Date,
): void {
  if (ageMax === null) return
  const signedIn = authenticatedAt?.getTime() ?? -Infinity
  if (now.getTime() - signedIn > ageMax * 1000) throw new BrokerError('step_up_required')
}

const UNTIL_MAX_MS = 3600_000
const UNTIL_DEFAULT_MS = 300_000

/** @throws BrokerError `args_mismatch`, `signature_required`, `schema_violation` */
export function checkVerdict({ bindingHash, asked }: Approval, verdict: Verdict, now: Date): void {
  if (!sameDigest(bindingHash, verdict.bindingHash)) throw new BrokerError('args_mismatch')
  if (verdict.decision === 'deny') return
  // A sign-in is not a signature over exactly this call, and that is what the rule asks for.
  if (asked.level === 'L3') throw new BrokerError('signature_required')
  const ahead = untilOf(verdict, now).getTime() - now.getTime()
  if (ahead > 0 && ahead <= UNTIL_MAX_MS) return
  const errors = [{ pointer: '/approved_until', rule: 'within 3600 seconds' }]
  throw new BrokerError('schema_violation', { shown: { errors } })
}

/** Until when a yes may be used. */
export function untilOf({ approvedUntil }: Verdict, now: Date): Date {
  return approvedUntil ?? new Date(now.getTime() + UNTIL_DEFAULT_MS)
}

/** What somebody is told whose word, or second thoughts, came after the end. */
export function tooLate({ status }: Approval): BrokerError {
  return new BrokerError(status === 'expired' ? 'approval_expired' : 'conflict')
}
