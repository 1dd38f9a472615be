/** A ruling, kept under its Idempotency-Key and found again. */
import type { Ruling, Settled } from './decision.ts'
import type { JsonObject } from './json.ts'

type Told = Exclude<Ruling, { kind: 'allow' }>

/** What a caller is told of a settled decision, but for the signature on an allow. */
export function toldOf({ decision, asked }: Settled): Told {
  const { answer, id, credential, call, level } = decision
  switch (answer.kind) {
    case 'allow':
      return { kind: 'repeat', credential, decision: id }
    case 'ask':
      if (asked === null || level === null || level === 'L1') {
        throw new TypeError('an ask that opened no approval')
      }
      return {
        kind: 'ask',
        decision: id,
        argsHash: call.argsHash,
        level,
        approval: { id: asked.id, expiresAt: asked.expiresAt },
        rules: answer.rules,
        isRepeat: false,
      }
    case 'deny':
    case 'none':
      return { kind: 'deny', decision: id, answer, isRepeat: false }
  }
}

/** As it is kept: JSON, with times as text. */
export function remembered(told: Told): JsonObject {
  if (told.kind !== 'ask') return { ...told } as unknown as JsonObject
  const approval = {
    id: told.approval.id,
    expiresAt: told.approval.expiresAt.toISOString(),
  }
  return { ...told, approval } as unknown as JsonObject
}

/** As it was kept. The answer is our own row, written by `remembered`. */
export function recalled(answer: JsonObject): Told {
  const told = answer as unknown as Told
  if (told.kind === 'repeat') return told
  if (told.kind === 'deny') return { ...told, isRepeat: true }
  const { id, expiresAt } = told.approval
  return {
    ...told,
    approval: { id, expiresAt: new Date(expiresAt) },
    isRepeat: true,
  }
}
