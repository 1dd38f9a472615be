/** A token for one audience, with claims that are arguments of the call. */
import { z } from 'zod'
import type { JsonObject } from '../../domain/json.ts'
import type { ToolCall } from '../../domain/tool.ts'
import {
  type DeclaredGrant,
  type Granted,
  type Granting,
  isRequired,
  type Mistake,
} from './granting.ts'

/** Claims that the broker sets, and that no declaration may. */
const RESERVED = ['iss', 'sub', 'aud', 'client_id', 'act', 'iat', 'nbf', 'exp', 'jti', 'cnf']
const claim = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/)
  .refine((name) => ![...RESERVED, 'authorization_details'].includes(name), 'the broker sets it')

const Grant = z.strictObject({
  audience: z.url(),
  /** Claim → the argument that it has the value of. */
  claims: z.record(claim, z.string().min(1).max(64)).default({}),
})
type Grant = z.infer<typeof Grant>

export const jwt = {
  declares: {
    connector: z.literal('jwt'),
    sender_constraint: z.literal('dpop', 'a minted token is bound to its key: say dpop'),
    grant: Grant,
  },

  permissions(call: ToolCall, { audience, claims }: Grant): Granting {
    const values = Object.entries(claims).map(([name, from]) => [
      name,
      call.arguments[from] ?? null,
    ])
    const named = Object.fromEntries(values) as JsonObject
    return { ok: true, permissions: values.length > 0 ? { audience, claims: named } : { audience } }
  },

  mistakes({ grant, isPlain }: DeclaredGrant<Grant>): Mistake[] {
    return Object.values(grant.claims)
      .filter((from) => !isPlain(from))
      .map((from) => [`a claim needs the argument ${from}`, isRequired])
  },
} satisfies Granted<Grant>
