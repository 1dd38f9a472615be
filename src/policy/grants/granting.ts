/** What the declaration of a tool says of its connector: one such file for each, and they are strangers. */
import type { z } from 'zod'
import type { JsonObject } from '../../domain/json.ts'
import type { ToolCall } from '../../domain/tool.ts'

export interface Granted<Grant> {
  /** Of a tool's file: `connector`, `sender_constraint`, `grant`. */
  readonly declares: z.ZodRawShape
  /** Exactly what the call needs. Arguments and facts go in as values, never as text of a grant. */
  permissions(call: ToolCall, grant: Grant): Granting
  /** What the shape cannot say: what is wrong, and what would mend it. */
  mistakes(declared: DeclaredGrant<Grant>): Mistake[]
}

export interface DeclaredGrant<Grant> {
  readonly facts: string
  readonly grant: Grant
  /** Whether the schema makes this a required text, integer or boolean. */
  readonly isPlain: (argument: string) => boolean
  /** Whether it names the argument at all. */
  readonly isDeclared: (argument: string) => boolean
}

export type Mistake = readonly [what: string, fix: string]

export type Granting =
  | {
      readonly ok: true
      readonly permissions: JsonObject
      /** Of `permissions`: members that go in as the digest of this. */
      readonly digests?: Readonly<Record<string, JsonObject>>
    }
  /** The rules allow it, and the tool has nothing prepared to give. */
  | { readonly ok: false; readonly detail: string }

export const isRequired = 'Make it a required text, integer or boolean of `arguments`.'
