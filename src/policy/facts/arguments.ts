/** Pure: facts that are arguments under the names that rules use. */
import type { JsonObject } from '../../domain/json.ts'

/** `amount_minor: amount`. Each is a required text, whole number or truth value by the tool's schema. */
export function argumentFacts(
  args: JsonObject,
  fields: Readonly<Record<string, string>>,
): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, from]) => {
      const value = Object.hasOwn(args, from) ? args[from] : undefined
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
