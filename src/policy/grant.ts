/** Pure: what an allow gives at the target. Arguments and facts go in as values, never as text of a grant. */
import type { ToolCall } from '../domain/tool.ts'
import type { Granting } from './grants/granting.ts'
import { jwt } from './grants/jwt.ts'
import { postgres } from './grants/postgres.ts'

/** What a tool's file may say of each connector, and what comes of it. */
export const GRANTS = { postgres, jwt }

/** Exactly what the call needs, by the tool's declaration. */
export function permissionsFor(call: ToolCall): Granting {
  const { connector, grant } = call.tool
  const name = Object.keys(GRANTS).find((known) => known === connector) as keyof typeof GRANTS
  // As declared: declaration.ts has read it.
  return GRANTS[name].permissions(call, grant as never)
}
