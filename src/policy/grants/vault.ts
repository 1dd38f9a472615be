/** One path of a secrets engine, with data that is arguments of the call. */
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

const field = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/)

const Grant = z.strictObject({
  /** `mount/…/role`, as it is: no argument is ever part of it. */
  path: z
    .string()
    .max(200)
    .regex(
      /^(?!(sys|auth|identity|cubbyhole)\/)[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$/,
      'a plain path of a secrets engine, mount/…/role',
    )
    .refine((path) => !path.includes('..'), 'a path does not go up'),
  method: z.enum(['read', 'write']).default('read'),
  /** Member of the request → the argument that it has the value of. */
  data: z.record(field, z.string().min(1).max(64)).default({}),
  /** Members that are the same for every call. */
  fixed: z.record(field, z.union([z.string().max(1000), z.int(), z.boolean()])).default({}),
  /** The member that the engine takes the time from, where it takes one: it is told the lease's. */
  ttl_field: field.optional(),
  /** Whether the agent is given a wrapping token, to be unwrapped at Vault, once. */
  wrap: z.boolean().default(false),
})
type Grant = z.infer<typeof Grant>

export const vault = {
  declares: {
    connector: z.literal('vault'),
    sender_constraint: z.literal('none', 'what Vault makes is not bound to a key: say none'),
    grant: Grant,
  },

  permissions(call: ToolCall, { path, method, data, fixed, ttl_field, wrap }: Grant): Granting {
    const values = Object.entries(data).map(([name, from]) => [name, call.arguments[from] ?? null])
    const given = { ...fixed, ...(Object.fromEntries(values) as JsonObject) }
    const time = ttl_field === undefined ? {} : { ttl_field }
    return { ok: true, permissions: { path, method, data: given, ...time, wrap } }
  },

  mistakes({ grant, isPlain }: DeclaredGrant<Grant>): Mistake[] {
    const { method, data, fixed, ttl_field } = grant
    const needed = Object.values(data)
      .filter((from) => !isPlain(from))
      .map((from): Mistake => [`the data needs the argument ${from}`, isRequired])
    const names = [...Object.keys(data), ...Object.keys(fixed), ttl_field ?? []].flat()
    if (method === 'read' && names.length > 0) {
      needed.push(['what is read is given no data', 'Say method: write.'])
    }
    if (new Set(names).size < names.length) {
      needed.push(['a member of the data is named twice', 'Name each once.'])
    }
    return needed
  },
} satisfies Granted<Grant>
