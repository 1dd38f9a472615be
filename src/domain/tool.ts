/** Tools as declared, and one call of one. */
import type { Json, JsonObject } from './json.ts'

/** Whose key a use is proved with: none; the holder's, at the target; the holder's, at our proxy. */
export type SenderConstraint = 'dpop' | 'none' | 'proxy'

export interface Tool {
  readonly name: string
  readonly title: string
  readonly target: string
  /** Which connector mints for it; the target's settings belong to the same connector. */
  readonly connector: string
  readonly groups: readonly string[]
  readonly risk: 'low' | 'medium' | 'high'
  readonly dataClasses: readonly string[]
  readonly senderConstraint: SenderConstraint
  readonly ttlSecondsDefault: number
  readonly ttlSecondsMax: number
  /** JSON Schema of the arguments, closed. */
  readonly argumentsSchema: JsonObject
  /** What the rules may ask about, computed from the arguments: kind and settings. */
  readonly facts: JsonObject
  /** What an allow gives at the target, before the call's arguments and facts are put in. */
  readonly grant: JsonObject
  /** Nobody has a reason to ask for it: whoever does is refused as ever, and stopped. */
  readonly isCanary?: true
  /** SHA-256 (base64url) of the canonical declaration. */
  readonly hash: string
}

/** One use of a tool: arguments that fit its schema, and what we computed from them. */
export interface ToolCall {
  readonly tool: Tool
  readonly arguments: JsonObject
  readonly argsHash: string
  readonly facts: JsonObject
  readonly factsHash: string
  /** As asked for; `null` means the leaf's. */
  readonly purpose: string | null
  /** As asked for, or the tool's default. Seconds. */
  readonly ttlSeconds: number
}

/** What a constraint key names in a call: `args.a.b`, `facts.x`. */
export function valueAt(
  call: Pick<ToolCall, 'arguments' | 'facts'>,
  path: string,
): Json | undefined {
  const [root, ...names] = path.split('.')
  let value: Json | undefined = root === 'args' ? call.arguments : call.facts
  for (const name of names) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    value = Object.hasOwn(value, name) ? value[name] : undefined
  }
  return value
}
