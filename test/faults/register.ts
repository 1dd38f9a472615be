/**
 * Every fault of the catalogue, by its stable id: a test names it, or a command tries it, or it stands
 * below with the part that it waits for. Nothing is skipped in silence.
 */

/** F01 to F16 are deaths at the points FP0 to FP15. */
const DEATHS = Object.fromEntries(
  Array.from({ length: 16 }, (_, n) => [
    `F${String(n + 1).padStart(2, '0')}`,
    `a broker killed at FP${String(n)}`,
  ]),
)

// prettier-ignore
export const FAULTS: Readonly<Record<string, string>> = {
  ...DEATHS,
  F17: 'both brokers killed, again and again',
  F18: 'a broker told to end under load',
  F20: 'a broker that stands still, and wakes too late',
  F23: 'something thrown in any layer of a request',
  F24: 'a policy engine that traps',
  F26: 'a start without what is needed',
  F27: 'a database stopped at once and started',
  F29: 'a commit whose answer is lost',
  F30: 'a disk that is full',
  F33: 'a database that is slow, or silent',
  F36: 'a transaction that the database gives up',
  F37: 'a failover to a standby',
  F40: 'an older backup restored',
  F41: 'a migration that fails half-way, or runs twice',
  F42: 'a pooler before the database',
  F44: "an issuer's keys that cannot be had",
  F45: "an issuer's keys that change",
  F49: 'a target that hangs or dies, before or after it has done it',
  F51: 'a target that makes something else',
  F57: 'a clock that is an hour off, or steps',
  F60: 'one thing asked for at two brokers at once',
  F61: 'an end while something is given',
  F62: 'two sweepers, one killed in the middle',
  F65: 'a caller who asks again',
  F67: 'a load balancer that asks again',
  F70: 'a witness that is away',
  F71: 'a signer killed, and two signers',
  F73: 'a log that nobody reads',
  F74: 'no descriptors, no disk to write to',
  F77: 'all of it, at random',
}

export interface ByCommand {
  readonly id: string
  /** Of `npm run hammer --`. */
  readonly command: string
}

/** Takes minutes: it is tried by a command, and not by each run of the suite. */
export const BY_COMMAND: readonly ByCommand[] = [
  ...Object.keys(DEATHS).map((id) => ({ id, command: 'matrix' })),
  { id: 'F17', command: 'campaign' },
  { id: 'F20', command: 'zombie' },
  { id: 'F60', command: 'races' },
  { id: 'F61', command: 'races' },
  { id: 'F77', command: 'campaign' },
]

/** Held by a test that speaks of the same thing under another name. */
export const HELD_ELSEWHERE: readonly {
  readonly id: string
  readonly file: string
  readonly as: string
}[] = [
  { id: 'F24', file: 'policy/compile-engine.test.ts', as: '[POL-08] that trapped answers nothing' },
  { id: 'F40', file: 'lines/aud-database.test.ts', as: '[AUD-04] that was set back' },
]

/** Speaks of what does not exist yet, or is not offered. */
export const NOT_BUILT: readonly { readonly id: string; readonly needs: string }[] = [
  { id: 'F70', needs: 'witnesses that cosign; the file outside is F74' },
]
