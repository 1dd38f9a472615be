/** A member of an answer that must be there. */
import type { JsonObject } from '../domain/json.ts'

/** @throws Error naming the member, when it is not a text */
export function textIn(body: JsonObject, name: string): string {
  const value = body[name]
  if (typeof value !== 'string') throw new Error(`the answer has no ${name}`)
  return value
}
