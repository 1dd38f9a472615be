/** Every variable that is read: how, why one would set it, and what a right value looks like. */
import { z } from 'zod'
import { Secret } from './domain/secret.ts'

const PORT = 8787

/** One variable: how it is read, why one would set it, and what a right value looks like. */
interface Setting {
  readonly schema: z.ZodType
  readonly why: string
  readonly example: string
}

const port = z.coerce.number().int().min(0).max(65535)
const path = z.string().min(1)

/** `procura config check --reference` prints this table; docs/configuration.md is made from it. */
export const SETTINGS = {
  DATABASE_URL: {
    schema: z
      .url({ protocol: /^postgres(ql)?$/ })
      .transform((url) => new Secret(url))
      .optional(),
    why: 'the database; without it a PostgreSQL is started under PROCURA_DATA',
    example: 'postgres://procura@db.internal:5432/procura',
  },
  PROCURA_ISSUER: {
    schema: z.url({ protocol: /^https?$/ }).optional(),
    why: 'the origin that tokens name and DPoP proofs are checked against',
    example: 'https://broker.example',
  },
  PROCURA_HOST: {
    schema: z.string().default('127.0.0.1'),
    why: 'where to listen',
    example: '0.0.0.0',
  },
  PROCURA_PORT: {
    schema: port.default(PORT),
    why: 'where to listen; 0 lets the system choose',
    example: '8787',
  },
  PROCURA_DATA: {
    schema: path.default('.procura'),
    why: 'the folder of the embedded database, keys and checkpoints',
    example: '/var/lib/procura',
  },
  PROCURA_KEYS: {
    schema: path.optional(),
    why: 'the folder of the signing keys (default: keys/ in PROCURA_DATA)',
    example: '/run/secrets/procura',
  },
  PROCURA_POLICIES: {
    schema: path.default('policies'),
    why: 'the folder of policies, tools and purposes',
    example: '/etc/procura/policies',
  },
  PROCURA_TRUST: {
    schema: path.optional(),
    why: 'the file of issuers, services and targets',
    example: '/etc/procura/trust.yaml',
  },
  PROCURA_CHECKPOINTS: {
    schema: path.optional(),
    why: 'the file outside the database that gets every checkpoint (default: checkpoints in PROCURA_DATA)',
    example: '/mnt/worm/checkpoints',
  },
  PROCURA_SEAL_KEY: {
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/)
      .transform((key) => new Secret(key))
      .optional(),
    why: 'the key that seals target credentials and personal data (default: seal.key among the keys)',
    example: '32 random bytes as base64url, 43 characters',
  },
  PROCURA_DPOP_NONCE: {
    schema: z.enum(['required', 'optional']).default('required'),
    why: 'whether proofs must carry our nonce',
    example: 'required',
  },
  PROCURA_TENANT: {
    schema: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,30}$/)
      .default('main'),
    why: 'the name of the log in a shared database',
    example: 'main',
  },
  PROCURA_LOG: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    why: 'how much is logged',
    example: 'info',
  },
  PROCURA_REQUESTS_PER_SECOND: {
    schema: z.coerce.number().int().min(1).default(500),
    why: 'the limit for one source address',
    example: '500',
  },
} as const satisfies Record<string, Setting>
