/** What is configured of an AWS role, and what a grant may hold. Its access key, if any, is in the vault. */
import { z } from 'zod'

const Endpoint = z.url({ protocol: /^https?$/ })
/** Gateways leave the account out. */
const RoleArn = z.string().regex(/^arn:aws[a-z-]*:iam::(\d{12})?:role\/[\w+=,.@/-]{1,512}$/)

export const Settings = z
  .strictObject({
    /** The only role whose sessions are handed out, whatever a decision says. */
    role_arn: RoleArn,
    /** `web_identity`: STS believes the broker's own issuer, and no key of AWS is stored. */
    credentials: z.enum(['stored', 'web_identity']).default('stored'),
    /** Of those tokens, as the provider in IAM and the trust policy have it. */
    audience: z
      .string()
      .regex(/^[!-~]{1,255}$/)
      .optional(),
    /** Assumed the same way, to write into the other; it is handed out to nobody. */
    revoker_role_arn: RoleArn.optional(),
    region: z.string().regex(/^[a-z0-9-]{2,32}$/),
    /** Of STS, and of IAM where it has none of its own; AWS's own where it is left out. */
    endpoint: Endpoint.optional(),
    iam_endpoint: Endpoint.optional(),
    iam_region: z
      .string()
      .regex(/^[a-z0-9-]{2,32}$/)
      .optional(),
    /** For loopback and networks that encrypt by themselves. */
    allow_http: z.boolean().default(false),
    external_id: z
      .string()
      .regex(/^[\w+=,.@:/-]{2,1224}$/)
      .optional(),
    /** Session tags and a source identity; some endpoints know neither. */
    tags: z.enum(['on', 'off']).default('on'),
    /** What becomes of `*`, `?` and `$` in an argument; `refused` where policies know no `${*}`. */
    wildcards: z.enum(['escaped', 'refused']).default('escaped'),
    /** The shortest session that the endpoint gives; a time condition ends ours when the lease does. */
    min_session_seconds: z.int().min(1).max(3600).default(900),
    /** `role_policy`: a session is ended early by a Deny in a policy of the role. */
    kill_switch: z.enum(['role_policy', 'none']).default('none'),
    /** How long a policy of a role takes until it is obeyed everywhere. */
    settle_seconds: z.int().min(0).max(600).default(10),
  })
  .refine(
    ({ allow_http, endpoint = '', iam_endpoint = '' }) =>
      allow_http || ![endpoint, iam_endpoint].some((url) => url.startsWith('http:')),
    'an endpoint with http needs allow_http',
  )
  .refine(
    ({ credentials, audience, revoker_role_arn }) =>
      credentials === 'web_identity' || (audience === undefined && revoker_role_arn === undefined),
    'audience and revoker_role_arn are for credentials: web_identity',
  )
  .refine(
    ({ credentials, external_id }) => credentials === 'stored' || external_id === undefined,
    'with credentials: web_identity there is no external_id; the trust policy demands sub and aud',
  )
  .refine(
    ({ credentials, kill_switch, revoker_role_arn }) =>
      credentials === 'stored' || kill_switch === 'none' || revoker_role_arn !== undefined,
    'with credentials: web_identity kill_switch needs a revoker_role_arn',
  )
  .refine(
    ({ role_arn, revoker_role_arn }) => role_arn !== revoker_role_arn,
    'revoker_role_arn is a role of its own: whoever has that session may write policies',
  )
export type Settings = z.infer<typeof Settings>

/** Whoever has a session of a role that ends others' may write policies: no target hands one out. */
export function clashOf(targets: ReadonlyMap<string, Settings>): string | null {
  for (const [name, { revoker_role_arn: revoker }] of targets) {
    const isHandedOut = ({ role_arn: role }: Settings) =>
      role.toLowerCase() === revoker?.toLowerCase() // To IAM, names that differ so are one.
    const [other] = [...targets].find(([, one]) => isHandedOut(one)) ?? []
    if (other !== undefined) {
      return `The target ${other} hands out the revoker_role_arn of ${name}, which may write policies`
    }
  }
  return null
}

/** Written out, so that nothing is given by a pattern. These two would make what outlives the lease. */
const Action = z
  .string()
  .regex(/^[a-z0-9-]{1,32}:[A-Za-z0-9]{1,64}$/)
  .refine((action) => !/^(sts|iam):/.test(action), 'makes credentials')

/** `arn` and `then` are the declaration's; `value` is an argument of the call: only data. */
const Resource = z.strictObject({
  arn: z.string().regex(/^arn:[a-z0-9-]+:[a-z0-9-]+:[a-z0-9-]*:\d*:[\w+=,.@:/-]*$/),
  value: z.string().max(1024).optional(),
  then: z
    .string()
    .regex(/^(\/[\w+=,.@:-]+)*(\/\*)?$/)
    .default(''),
})

export const Permissions = z.strictObject({
  // A session without a policy has all that the role has.
  statements: z
    .array(
      z.strictObject({
        actions: z.array(Action).min(1).max(50),
        resources: z
          .array(Resource.refine(({ value }) => value !== '', 'an empty value'))
          .min(1)
          .max(20),
      }),
    )
    .min(1)
    .max(10),
})
export type Permissions = z.infer<typeof Permissions>

/** What STS takes of a session's name, and the only names that a kill switch is thrown for. */
export const SESSION = /^cb_[a-z2-7]{26}$/
