/** Compiled rules decide, and Cedar looks over their shoulder. One difference, and they are out. */
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import type { Asking } from './asking.ts'
import type { Quick } from './compile.ts'
import { differenceOf } from './compile-trial.ts'
import type { Judgement, Policies } from './opinion.ts'

/** Of each kind of request the first is decided by both, and then about one in a hundred. */
const EVERY = 97 // A prime: who asks in rounds of two or five does not step over it.

export interface Shadowing {
  readonly quick: Quick
  readonly cedar: Policies['authorize']
  /** Told once, of where and in which rules they differ; never of a value. */
  readonly alarm: (what: string) => void
}

/**
 * Decides by compiled rules what they can decide. Where both decide Cedar's answer is given; where they
 * differ none is, and from then on Cedar decides alone.
 */
export function shadowed({ quick, cedar, alarm }: Shadowing): Policies['authorize'] {
  const asked = new Map<string, number>()
  let isOut = false

  function isSampled({ action, principal }: Asking, by: string): boolean {
    const kind = `${action.id} ${principal.type} ${by}`
    const before = asked.get(kind) ?? 0
    asked.set(kind, before + 1)
    return before % EVERY === 0
  }

  return (asking, by): Judgement => {
    const answer = isOut ? null : quick(asking, by)
    if (answer === null) return cedar(asking, by)
    if (!isSampled(asking, by)) return { ...answer, evaluator: 'compiled' }
    const authority = cedar(asking, by)
    const difference = differenceOf(answer, authority)
    if (difference === null) return authority
    isOut = true
    alarm(`${asking.action.id} for ${asking.principal.type}: ${difference}`)
    return DIFFERING
  }
}

const DIFFERING: AuthorizationAnswer = {
  type: 'failure',
  errors: [{ message: 'two evaluators differ', help: null, code: null, url: null, severity: null }],
  warnings: [],
}
