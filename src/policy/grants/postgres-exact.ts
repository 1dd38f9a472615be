/** One statement that the broker runs itself: the roles that it needs, and which argument it is. */
import { z } from 'zod'
import type { ToolCall } from '../../domain/tool.ts'
import type { DeclaredGrant, Granted, Granting, Mistake } from './granting.ts'
import { PostgresGrant, postgres } from './postgres.ts'

export const postgresExact = {
  declares: {
    connector: z.literal('postgres-exact'),
    sender_constraint: z.literal('proxy', 'it is run by the broker: say proxy'),
    grant: PostgresGrant,
  },

  permissions(call: ToolCall, declared: PostgresGrant): Granting {
    const granting = postgres.permissions(call, declared)
    if (!granting.ok) return granting
    const { from } = call.tool.facts // Of kind sql, as `mistakes` demands.
    return { ok: true, permissions: { ...granting.permissions, statement: from ?? null } }
  },

  mistakes: (declared: DeclaredGrant<PostgresGrant>): Mistake[] => postgres.mistakes(declared),
} satisfies Granted<PostgresGrant>
