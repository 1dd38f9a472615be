/** When a process that delivers is killed, and when a target is; and what is to come of it. */
import type { When } from '../fakes/holding.ts'
import type { Step } from './deliverer.ts'
import type { Kind } from './kinds.ts'

export const FAILED = ['issuance_failed']
export const STOPPED = ['issuance', 'remediation']

export interface Round {
  readonly fault: string
  readonly step: string
  readonly standAt: Step | null
  /** Held up on the way to a target instead. */
  readonly holds?: 'makes' | 'ends'
  /** What was asked reaches its target when the lease is over. */
  readonly isLate?: true
  /** They are stopped when they have been issued, and the process sweeps. */
  readonly isSwept?: true
  /** Of the lease, as the process leaves it. */
  readonly state: string | undefined
  /** What is on record in the end. */
  readonly types: readonly string[]
  /** `null`: it may be, or not. */
  readonly isGivenBack: (kind: Kind) => boolean | null
  /** What was made at a target is there as the process dies: there is something to be ended. */
  readonly isAlive?: true
}

const [ALL, NONE] = [() => true, () => false]
/** Who is told of what it ends that it was there has no proof that nobody used it. */
const notTold = ({ isTold }: Kind) => !isTold
const ENDING = { isSwept: true, state: 'active', types: STOPPED, isGivenBack: NONE } as const

export const ROUNDS: readonly Round[] = [
  {
    ...{ fault: '[F05]', step: 'FP4: it is decided', standAt: 'FP4', state: undefined },
    ...{ types: FAILED, isGivenBack: ALL },
  },
  {
    ...{ fault: '[F06]', step: 'FP5: its lease is open', standAt: 'FP5', state: 'minting' },
    ...{ types: FAILED, isGivenBack: ({ isSure }) => isSure },
  },
  {
    ...{ fault: '[F07]', step: 'FP6: its target is asked', standAt: null, holds: 'makes' },
    ...{ state: 'minting', types: FAILED, isGivenBack: notTold, isAlive: true },
  },
  {
    ...{ fault: '[F07]', step: 'FP6: it is asked, and hears of it late', standAt: null },
    ...{ holds: 'makes', isLate: true, state: 'minting', types: FAILED, isGivenBack: () => null },
  },
  {
    ...{ fault: '[F08]', step: 'FP7: its target has answered', standAt: 'FP7', state: 'minting' },
    ...{ types: FAILED, isGivenBack: notTold, isAlive: true },
  },
  {
    ...{ fault: '[F09]', step: 'FP8: its issuance is on record', standAt: 'FP8', state: 'active' },
    ...{ types: ['issuance', 'credential_ended'], isAlive: true },
    isGivenBack: ({ isEnforced }) => isEnforced,
  },
  {
    ...{ fault: '[F12]', step: 'FP11: the sweeper has claimed it', standAt: 'FP11' },
    ...{ ...ENDING, isAlive: true },
  },
  {
    ...{ fault: '[F13]', step: 'FP12: its target is asked to end it', standAt: null },
    ...{ ...ENDING, holds: 'ends' },
  },
  { fault: '[F14]', step: 'FP13: its target has ended it', standAt: 'FP13', ...ENDING },
  {
    ...{ fault: '[F15]', step: 'FP14: its end is on record', standAt: 'FP14' },
    ...{ ...ENDING, state: 'revoked' },
  },
]

export interface Moment {
  readonly step: string
  /** As what is asked of it; `null`: before anything is. */
  readonly ask: 'makesIt' | 'endsIt' | null
  readonly when: When
}

export const MOMENTS: readonly Moment[] = [
  { step: 'target: before it is asked', ask: null, when: 'asked' },
  { step: 'target: asked', ask: 'makesIt', when: 'asked' },
  { step: 'target: made, not answered', ask: 'makesIt', when: 'answered' },
  { step: 'target: asked to end it', ask: 'endsIt', when: 'asked' },
  { step: 'target: ended, not answered', ask: 'endsIt', when: 'answered' },
]
