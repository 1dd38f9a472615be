/** Pure: what an allow gives at the target. Arguments and facts go in as values, never as text of a grant. */
import type { ToolCall } from '../domain/tool.ts'
import { awsSts } from './grants/aws-sts.ts'
import type { Granting } from './grants/granting.ts'
import { http } from './grants/http.ts'
import { jwt } from './grants/jwt.ts'
import { postgres } from './grants/postgres.ts'
import { postgresExact } from './grants/postgres-exact.ts'
import { vault } from './grants/vault.ts'

/** What a tool's file may say of each connector, and what comes of it. */
export const GRANTS = {
  ...{ postgres, 'postgres-exact': postgresExact },
  ...{ jwt, http, vault, 'aws-sts': awsSts },
}

/** Exactly what the call needs, by the tool's declaration. */
export function permissionsFor(call: ToolCall): Granting {
  const { connector, grant } = call.tool
  const name = Object.keys(GRANTS).find((known) => known === connector) as keyof typeof GRANTS
  // As declared: declaration.ts has read it.
  return GRANTS[name].permissions(call, grant as never)
}
