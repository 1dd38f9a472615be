/** What is configured of a PostgreSQL target. Its password is in the vault. */
import { z } from 'zod'

/** A plain name, which needs no quotes; it is quoted all the same. */
export const Name = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/)

export const Settings = z.strictObject({
  host: z.string().min(1),
  port: z.int().min(1).max(65535).default(5432),
  database: z.string().min(1).max(63),
  /** `disable` is for loopback and for networks that encrypt by themselves. */
  sslmode: z.enum(['verify-full', 'disable']).default('verify-full'),
  /** PEM of the authority that signed the server's certificate; the system's where it is left out. */
  ca: z.string().optional(),
  admin_user: Name,
  /** The prepared NOLOGIN roles: a login joins these and no other, whatever a decision says. */
  group_roles: z.array(Name).min(1),
  search_path: z.array(Name).default(['public']),
})
export type Settings = z.infer<typeof Settings>

export const Permissions = z.strictObject({
  roles: z.array(Name),
  read_only: z.boolean(),
  statement_timeout_ms: z.int().min(1).max(600_000),
  connection_limit: z.literal(1),
})
export type Permissions = z.infer<typeof Permissions>
