/**
 * Where the points of an issuance and of a revocation are, as seen from outside the code: by the names of
 * statements, by who sends them, by what goes over HTTP. The one file to change when a statement is renamed.
 */

export type When = 'before' | 'sent' | 'after'

/** A statement to a database. `by` is the application_name of its connection. */
export interface Place {
  readonly by: RegExp
  /** Its name, or its text where it has none. */
  readonly statement: RegExp
  readonly when: When
  /** Passed only by one that found something. */
  readonly finds?: true
  /** Passed only in a transaction that has sent this before. */
  readonly follows?: RegExp
}

const front = /^procura front/
const pdp = /^procura pdp/
const cdp = /^procura cdp/
const reaper = /^procura reaper/
const signer = /^procura signer/
const minting = /^cb_/
const revoking = /^procura-revoke/
const COMMIT = /^commit$/
/** It has no name, for it is two statements. */
const TURN = /^begin; select next, now, .* from ledger\.turn\(/

export const PLACES: Readonly<Record<string, readonly Place[]>> = {
  FP1: [{ by: front, statement: /^used_proof_insert$/, when: 'before' }],
  FP2: [{ by: front, statement: /^used_proof_insert$/, when: 'after' }],
  FP3: [{ by: pdp, statement: TURN, when: 'before' }],
  FP4: [{ by: pdp, statement: COMMIT, follows: /^append_decided/, when: 'after' }],
  FP5: [{ by: cdp, statement: /^lease_open$/, when: 'after' }],
  FP6: [{ by: minting, statement: /^create role/, when: 'sent' }],
  FP7: [
    { by: minting, statement: /^create role/, when: 'after' },
    { by: cdp, statement: TURN, when: 'before' }, // A token is made without anybody being asked.
  ],
  FP8: [{ by: cdp, statement: COMMIT, follows: /^lease_activate$/, when: 'after' }],
  FP11: [
    { by: reaper, statement: /^lease_claim_due$/, when: 'after', finds: true },
    { by: reaper, statement: /^lease_claim_urgent$/, when: 'after', finds: true },
    { by: reaper, statement: /^lease_claim_stopped$/, when: 'after', finds: true },
  ],
  FP12: [{ by: revoking, statement: /^(alter|drop) role/, when: 'sent' }],
  FP13: [{ by: revoking, statement: /^drop role/, when: 'after' }],
  FP14: [{ by: reaper, statement: COMMIT, follows: /^lease_finish$/, when: 'after' }],
  FP15: [
    { by: signer, statement: /^insert into ledger\.checkpoint/, when: 'after' },
    {
      ...{ by: signer, statement: COMMIT, when: 'after' },
      follows: /^insert into ledger\.checkpoint/,
    },
  ],
}

/** Not of a database: FP0 a request arrives, FP9 its answer has begun, FP10 its answer is out. */
export const OVER_HTTP = ['FP0', 'FP9', 'FP10'] as const
/** The request they speak of. */
export const ISSUING = { method: 'POST', path: '/v1/credentials' } as const

/** FP15 is also passed as the witness's file is about to be synced. */
export const SYNCED = 'FP15'

export const POINTS: readonly string[] = [...Object.keys(PLACES), ...OVER_HTTP].sort(
  (one, other) => Number(one.slice(2)) - Number(other.slice(2)),
)
