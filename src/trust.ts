/** Whom the broker believes, and what it mints for: the shape of the trust file. */
import { parseDocument } from 'yaml'
import { z } from 'zod'
import { ROLES } from './domain/person.ts'
import { type Mistake, readText } from './mistake.ts'

const Jwk = z.looseObject({ kty: z.string() })
const Keys = {
  jwks_uri: z.url({ protocol: /^https?$/ }).optional(),
  jwks: z.strictObject({ keys: z.array(Jwk).min(1) }).optional(),
  /** Plain http, and addresses of this machine: for trying things out. */
  allow_http: z.boolean().default(false),
}
const oneSource = (value: { jwks_uri?: unknown; jwks?: unknown }) =>
  (value.jwks_uri === undefined) !== (value.jwks === undefined)
const ONE_SOURCE = 'needs exactly one of jwks_uri and jwks'

/** An issuer of people's tokens; `roles` says which values of a claim make somebody what. */
const PeopleIssuer = z
  .strictObject({
    issuer: z.string().min(1),
    ...Keys,
    roles: z.strictObject({
      claim: z.string().min(1),
      ...Object.fromEntries(ROLES.map((role) => [role, z.array(z.string()).default([])])),
    }) as unknown as z.ZodType<
      { readonly claim: string } & Readonly<Record<(typeof ROLES)[number], readonly string[]>>
    >,
    groups_claim: z.string().min(1).default('groups'),
  })
  .refine(oneSource, ONE_SOURCE)

const Attesting = {
  assertion_reuse: z.enum(['first_key', 'any_key']).default('first_key'),
  /** Only for a platform that says on its own what model it runs. */
  model_claim: z.string().min(1).max(256).optional(),
}
const OidcWorkloads = z.strictObject({
  kind: z.literal('oidc'),
  issuer: z.string().min(1),
  ...Keys,
  ...Attesting,
})
const SpiffeWorkloads = z.strictObject({
  kind: z.literal('spiffe'),
  trust_domain: z.string().regex(/^[a-z0-9._-]{1,255}$/),
  ...Keys,
  ...Attesting,
})

const Service = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,62}$/),
  /** What it answers for: it may introspect and redeem only what was minted for this. */
  audience: z.string().min(1),
  jwk: Jwk,
})

/** How much is asked of a target; what is not said is as `delivery/target-limits.ts` has it. */
const Limits = z
  .strictObject({
    /** Made, or called, at once. */
    concurrent: z.int().min(1).optional(),
    per_second: z.number().min(0.01).max(100_000).optional(),
    burst: z.int().min(1).max(100_000).optional(),
  })
  .refine(({ per_second, burst }) => burst === undefined || per_second !== undefined, {
    path: ['burst'],
    message: 'needs per_second',
  })

/** The connector validates the settings of its own targets. */
const Target = z.looseObject({ connector: z.string(), limits: Limits.optional() })

export const TrustFile = z.strictObject({
  people: z.array(PeopleIssuer).default([]),
  workloads: z
    .array(
      z.discriminatedUnion('kind', [OidcWorkloads, SpiffeWorkloads]).refine(oneSource, ONE_SOURCE),
    )
    .default([]),
  services: z.array(Service).default([]),
  targets: z.record(z.string().regex(/^[a-z][a-z0-9-]{0,62}$/), Target).default({}),
})
export type Trust = z.output<typeof TrustFile>

export const NOBODY: Trust = { people: [], workloads: [], services: [], targets: {} }

const EXAMPLE = 'docs/configuration.md'

/** Reads a trust file. Every mistake in it is noted, with its place. */
export function readTrust(file: string, mistakes: Mistake[]): Trust {
  const text = readText(file, 'PROCURA_TRUST', mistakes)
  if (text === undefined) return NOBODY
  const document = parseDocument(text, { strict: true, uniqueKeys: true })
  const faults = [...document.errors, ...document.warnings]
  for (const { message } of faults) {
    const problem = message.split('\n')[0] ?? 'is not YAML'
    mistakes.push({ key: file, problem, example: EXAMPLE })
  }
  if (document.contents === null)
    mistakes.push({
      key: file,
      problem: 'says nothing: nobody would be believed',
      example: EXAMPLE,
    })
  if (faults.length > 0 || document.contents === null) return NOBODY
  const parsed = TrustFile.safeParse(document.toJS({ maxAliasCount: 0 }))
  if (parsed.success) return parsed.data
  for (const { path, message } of parsed.error.issues) {
    mistakes.push({ key: `${file}: ${path.join('.')}`, problem: message, example: EXAMPLE })
  }
  return NOBODY
}
