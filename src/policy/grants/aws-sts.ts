/** Statements of AWS: actions, on resources that end in arguments of the call. */
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

const action = z
  .string()
  .regex(/^[a-z0-9-]{1,32}:[A-Za-z0-9]{1,64}$/, 'an action written out, as in s3:GetObject')
  .refine((name) => !/^(sts|iam):/.test(name), 'what makes credentials would outlive its lease')

/** What comes after the argument begins a new segment: `7` then `/*` is nothing of `77`. */
const Resource = z.strictObject({
  arn: z
    .string()
    .max(200)
    .regex(
      /^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:\d*:[\w+=,.@:/-]*$/,
      'an ARN up to where its argument goes, without patterns',
    ),
  argument: z.string().min(1).max(64).optional(),
  then: z
    .string()
    .max(200)
    .regex(/^(\/[\w+=,.@:-]+)*(\/\*)?$/, 'segments that begin with /, the last may be /*')
    .optional(),
})

const Grant = z.strictObject({
  statements: z
    .array(
      z.strictObject({
        actions: z.array(action).min(1).max(50),
        resources: z.array(Resource).min(1).max(20),
      }),
    )
    .min(1)
    .max(10),
})
type Grant = z.infer<typeof Grant>

export const awsSts = {
  declares: {
    connector: z.literal('aws-sts'),
    sender_constraint: z.literal('none', 'an AWS key cannot be bound to a key of ours: say none'),
    grant: Grant,
  },

  permissions(call: ToolCall, { statements }: Grant): Granting {
    const given = statements.map(({ actions, resources }) => ({
      actions,
      resources: resources.map(({ arn, argument, then }): JsonObject => {
        const value = argument === undefined ? {} : { value: textOf(call, argument) }
        return { arn, ...value, ...(then !== undefined && { then }) }
      }),
    }))
    const isEmpty = given.some(({ resources }) => resources.some(({ value }) => value === ''))
    if (isEmpty) return { ok: false, detail: `an argument of ${call.tool.name} is empty` }
    return { ok: true, permissions: { statements: given } }
  },

  mistakes({ grant, isPlain }: DeclaredGrant<Grant>): Mistake[] {
    const resources = grant.statements.flatMap((statement) => statement.resources)
    return resources.flatMap(({ arn, argument }): Mistake[] => {
      if (argument === undefined) {
        const isWhole = !arn.endsWith(':')
        return isWhole ? [] : [[`${arn} names no resource`, 'Name one, or an argument.']]
      }
      return isPlain(argument) ? [] : [[`a resource needs the argument ${argument}`, isRequired]]
    })
  },
} satisfies Granted<Grant>

function textOf(call: ToolCall, name: string): string {
  const value = call.arguments[name]
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : ''
}
