/** Calls that stop and freeze, for the lines about them. */
import { isObject, type JsonObject } from '../../src/domain/json.ts'
import { insideOf } from './forging.ts'
import type { World } from './house.ts'

export const RV = (w: World, target: JsonObject, { as = 'kim', at = 0, query = '' } = {}) =>
  w.asBearer(w.PT(as as 'kim'), 'POST', `/v1/revocations${query}`, {
    ...{ body: { target, cause: 'compromised', reason: 'a drill' }, at },
  })
export const FZ = (w: World, scope: JsonObject, { as = 'lee', at = 0, state = 'frozen' } = {}) =>
  w.asBearer(w.PT(as as 'lee'), 'POST', '/v1/freeze', {
    ...{ body: { scope, state, cause: 'operator_action', reason: 'a drill' }, at },
  })

/** Freezes it at one replica, and lifts that at the other, whatever comes of the work: other lines go on there. */
export async function whileFrozen(
  w: World,
  scope: JsonObject,
  work: (frozen: JsonObject) => Promise<void>,
): Promise<void> {
  const { body } = await w.accepted(FZ(w, scope))
  try {
    await work(body)
  } finally {
    await w.accepted(FZ(w, scope, { state: 'lifted', at: 1 }))
  }
}

export const tokenIn = ({ body }: { body: JsonObject }): string => {
  const { credential } = body
  const token = isObject(credential ?? null) ? (credential as JsonObject)['token'] : null
  if (typeof token !== 'string') throw new Error('no token was given')
  return token
}

/** What its target would send to spend it. */
export function spendingOf(token: string): JsonObject {
  const [detail] = insideOf(token).claims['authorization_details'] as JsonObject[]
  const { tool = '', args_hash = '' } = detail ?? {}
  return { token, tool, args_hash, proof_checked: true }
}
