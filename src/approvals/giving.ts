/** A word that counts, as it is written down: the row, the token that proves it, the entry. */
import type { Approval } from '../domain/approval.ts'
import { type Digest, sha256 } from '../domain/digest.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import { type EventId, newId } from '../domain/ids.ts'
import { type Signer, signToken } from '../domain/jws.ts'
import { identityOf, type ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, By } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { untilOf, type Verdict } from './verdict.ts'

export interface Word {
  readonly person: ProvenPerson
  readonly verdict: Verdict
  readonly by: By
}

/** One row or none: whoever comes second finds that it is no longer pending. */
export async function give(
  { tenant, signer }: { readonly tenant: string; readonly signer: Signer },
  tx: Tx,
  pending: Approval,
  word: Word,
) {
  const { person, verdict } = word
  const isYes = verdict.decision === 'approve'
  const approval: Approval = {
    ...pending,
    status: isYes ? 'approved' : 'denied',
    approver: person.person.id,
    approvedUntil: isYes ? untilOf(verdict, tx.now) : null,
  }
  const eventId = newId('evt', tx.now)
  const evidence = await signToken('approval', claimsOf(approval, { eventId, now: tx.now }), signer)
  const { rowCount } = await tx.query({
    name: 'approval_answer',
    text: `update procura.approval
           set status = $3, approver = $4, decided_at = $5, approved_until = $6, evidence = $7
           where tenant = $1 and id = $2 and status = 'pending' and expires_at > $5`,
    values: [
      ...[tenant, approval.id, approval.status, approval.approver, tx.now],
      ...[approval.approvedUntil, evidence],
    ],
  })
  if (rowCount !== 1) throw new BrokerError('conflict')
  const entry = entryOf(approval, { word, eventId, evidenceHash: hashOf(evidence) })
  return { approval, evidence, eventId, entry }
}

/** A word that came too late. It changes nothing, and is on record all the same. */
export function attempt(final: Approval, word: Word): LedgerEntry {
  return entryOf({ ...final, approver: word.person.person.id }, { word, evidenceHash: null })
}

/** An end without anybody's word: nobody answered in time, or it was called off. */
export function ending(approval: Approval, act: Act): LedgerEntry {
  return { type: 'approval_decided', act, approval, decided: null, evidenceHash: null }
}

interface Told {
  readonly word: Word
  readonly eventId?: EventId
  readonly evidenceHash: string | null
}

function entryOf(approval: Approval, { word, ...rest }: Told): LedgerEntry {
  const { person, verdict, by } = word
  const { address, userAgent } = by.origin
  const { reason } = verdict
  return {
    type: 'approval_decided',
    act: by.act,
    approval,
    decided: verdict.decision,
    ...rest,
    sealed: {
      fields: ['person', ...(reason === null ? [] : ['reason']), 'origin'],
      payload: {
        person: identityOf(person.person),
        ...(reason === null ? {} : { reason }),
        origin: { address, user_agent: userAgent },
      },
    },
  }
}

function claimsOf(approval: Approval, { eventId, now }: { eventId: EventId; now: Date }) {
  const { id, bindingHash, asked, approver, approvedUntil, status } = approval
  return {
    ...{ sub: approver, jti: eventId, iat: secondsOf(now) },
    ...{ approval_id: id, binding_hash: bindingHash, level: asked.level, method: 'session' },
    decision: status === 'approved' ? 'approve' : 'deny',
    ...(approvedUntil && { approved_until: secondsOf(approvedUntil) }),
  }
}

const secondsOf = (at: Date) => Math.floor(at.getTime() / 1000)

/** SHA-256 of what was signed: header and payload. */
const hashOf = (token: string): Digest => sha256(token.slice(0, token.lastIndexOf('.')))
