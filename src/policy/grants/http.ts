/** One request of an API, written out: method, path, query and body are all that the call may send. */
import { z } from 'zod'
import { isTemplate, namesIn } from '../../domain/http-path.ts'
import type { ToolCall } from '../../domain/tool.ts'
import { requestOf } from '../facts/http.ts'
import {
  type DeclaredGrant,
  type Granted,
  type Granting,
  isRequired,
  type Mistake,
} from './granting.ts'

const argument = z.string().min(1).max(64)
const member = z
  .string()
  .min(1)
  .max(64)
  .refine((name) => !name.startsWith('__'), 'not __')

/** Headers that say who calls, where to, or how the message is framed: none is for a tool to set. */
const RESERVED =
  /^(host|authorization|cookie|expect|te|trailer|upgrade|via|date|forwarded|origin|referer|dpop)$|^(connection|content|transfer|accept-encoding|keep|proxy|sec|x-forwarded|x-http-method|x-method|x-original|x-rewrite)/

const Headers = z.record(
  z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/, 'a header name in lower case')
    .refine((name) => !RESERVED.test(name), 'the broker sets it, or nobody'),
  z.string().regex(/^[ -~]{0,200}$/, 'printable ASCII'),
)

const Grant = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE']),
  path: z
    .string()
    .max(1000)
    .refine((path) => isTemplate(path) && path !== '/', 'a path like /v1/issues/{number}/comments'),
  query: z.record(member, argument).default({}),
  body: z.record(member, argument).optional(),
  /** The same for each call. */
  headers: Headers.default({}),
})
type Grant = z.infer<typeof Grant>

export const http = {
  declares: {
    connector: z.literal('http'),
    sender_constraint: z.literal('proxy', 'it is called through the broker: say proxy'),
    grant: Grant,
  },

  /** The body goes in as its digest: it may hold what a lease's row should not. */
  permissions(call: ToolCall, grant: Grant): Granting {
    const request = requestOf(call.arguments, grant)
    if (request === null) {
      return { ok: false, detail: 'an argument cannot stand in an address' }
    }
    const { method, path, query, body } = request
    const { path: template, headers } = grant
    const permissions = { method, template, path, query: { ...query }, body_sha256: null, headers }
    return body === null
      ? { ok: true, permissions }
      : { ok: true, permissions, digests: { body_sha256: body } }
  },

  mistakes({ grant, isPlain, isDeclared }: DeclaredGrant<Grant>): Mistake[] {
    const { method, path, query, body } = grant
    const plain = [...namesIn(path), ...Object.values(query)].filter((name) => !isPlain(name))
    const members = Object.values(body ?? {}).filter((name) => !isDeclared(name))
    const isBodyless = ['GET', 'HEAD', 'OPTIONS'].includes(method)
    return [
      ...plain.map((name): Mistake => [`path and query need the argument ${name}`, isRequired]),
      ...members.map((name): Mistake => [`the body names no argument: ${name}`, 'Declare it.']),
      ...(body !== undefined && isBodyless
        ? [[`a ${method} has no body`, 'Leave it out, or use the query.'] as const]
        : []),
    ]
  },
} satisfies Granted<Grant>
