/** Every variable that is read: how, why one would set it, and what a right value looks like. */
import { isIP } from 'node:net'
import { z } from 'zod'
import { Secret } from './domain/secret.ts'
import { readSealUri, readSignerUri } from './pkcs11/uri.ts'

const PORT = 8787

/** One variable: how it is read, why one would set it, and what a right value looks like. */
interface Setting {
  readonly schema: z.ZodType
  readonly why: string
  readonly example: string
}

const port = z.coerce.number().int().min(0).max(65535)
const path = z.string().min(1)
const rate = z.coerce.number().int().min(1)

/** Exact addresses: a name or a range would believe whoever comes to have it. */
function addresses(list: string, context: z.RefinementCtx): readonly string[] {
  const named = list.split(',').map((it) => it.trim())
  if (named.length === 1 && named[0] === '') return []
  if (named.some((it) => isIP(it) === 0)) context.addIssue('are not exact addresses')
  return named
}

function uriAs<T>(read: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): T => {
    try {
      return read(text)
    } catch (error) {
      context.addIssue(error instanceof TypeError ? error.message : 'is not valid')
      return z.NEVER
    }
  }
}

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
    why: 'where to listen; 0: one that is free, from 10000 on',
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
  PROCURA_POLICY_EVALUATOR: {
    schema: z.enum(['compiled', 'wasm']).default('compiled'),
    why: 'what decides: rules compiled to functions where that is shown to be the same, or Cedar alone',
    example: 'compiled',
  },
  PROCURA_TRUST: {
    schema: path.optional(),
    why: 'the file of issuers, services and targets',
    example: '/etc/procura/trust.yaml',
  },
  PROCURA_CHECKPOINTS: {
    schema: path.optional(),
    why: 'the file outside the database that gets the newest checkpoint each second (default: checkpoints in PROCURA_DATA)',
    example: '/mnt/worm/checkpoints',
  },
  PROCURA_SEAL_KEY: {
    schema: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}(,[A-Za-z0-9_-]{43})*$/)
      .transform((key) => new Secret(key))
      .optional(),
    why: 'the key that seals target credentials and personal data (default: seal.key among the keys)',
    example: '32 random bytes as base64url, 43 characters',
  },
  PROCURA_SEAL: {
    schema: z.string().transform(uriAs(readSealUri)).optional(),
    why: 'the token whose keys seal target credentials in place of the seal key (PKCS #11, RFC 7512)',
    example:
      'pkcs11:token=procura;object=seal?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin',
  },
  PROCURA_SIGNER: {
    schema: z.string().transform(uriAs(readSignerUri)).optional(),
    why: 'the token of the keys that sign, of sets that name keys in a token (PKCS #11, RFC 7512)',
    example:
      'pkcs11:token=procura?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin',
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
  PROCURA_SECURITY_CONTACT: {
    schema: z.url({ protocol: /^(https|mailto)$/ }).optional(),
    why: 'whom to tell of a weakness: told in /.well-known/security.txt, which is not there without it',
    example: 'mailto:security@broker.example',
  },
  PROCURA_LOG: {
    schema: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
    why: 'how much is logged',
    example: 'info',
  },
  PROCURA_REQUESTS_PER_SECOND: {
    schema: rate.default(500),
    why: 'the limit for one source address',
    example: '500',
  },
  PROCURA_CALLER_REQUESTS_PER_SECOND: {
    schema: rate.optional(),
    why: 'the limit for one agent or person (default: a fifth of PROCURA_REQUESTS_PER_SECOND)',
    example: '100',
  },
  PROCURA_SPONSOR_REQUESTS_PER_SECOND: {
    schema: rate.optional(),
    why: 'the limit for all agents of one sponsor together (default: two fifths of PROCURA_REQUESTS_PER_SECOND)',
    example: '200',
  },
  PROCURA_TENANT_REQUESTS_PER_SECOND: {
    schema: rate.optional(),
    why: 'the limit for all agents and services together (default: four times PROCURA_REQUESTS_PER_SECOND)',
    example: '2000',
  },
  PROCURA_CONCURRENT: {
    schema: z.coerce.number().int().min(1).default(128),
    why: 'requests of agents and services that are worked on at once; as many again wait half a second, the rest gets 503',
    example: '128',
  },
  PROCURA_TRUSTED_PROXIES: {
    schema: z.string().default('').transform(addresses),
    why: 'addresses of the proxies whose X-Forwarded-For says where a request comes from',
    example: '10.0.0.10, 10.0.0.11',
  },
  PROCURA_ROOT_TTL_SECONDS: {
    schema: z.coerce.number().int().min(60).max(86_400).default(28_800),
    why: 'the longest that a root of delegations lives, in seconds; never longer than its consent',
    example: '28800',
  },
  PROCURA_ROLE: {
    schema: z.enum(['all', 'pdp', 'cdp']).default('all'),
    why: 'what runs here: both sides, or one of two processes (docs/two-processes.md)',
    example: 'all',
  },
  PROCURA_PEER_LISTEN: {
    schema: z
      .string()
      .regex(/^[^\s:]+:\d{1,5}$/, 'is not host:port')
      .transform((at) => {
        const [host = '', given] = at.split(':')
        return { host, port: Number(given) }
      })
      .refine((at) => port.safeParse(at.port).success, 'has no such port')
      .optional(),
    why: 'where the deciding process listens for the delivering one, and for nobody else',
    example: '10.0.0.5:8788',
  },
  PROCURA_PEER_URL: {
    schema: z.url({ protocol: /^https$/ }).optional(),
    why: 'where the delivering process finds the deciding one',
    example: 'https://10.0.0.5:8788',
  },
  PROCURA_PEER_CERT: {
    schema: path.optional(),
    why: 'the file of the certificate that this process shows the other (PEM)',
    example: '/run/secrets/peer.crt',
  },
  PROCURA_PEER_KEY: {
    schema: path.optional(),
    why: 'the file of its private key (PEM)',
    example: '/run/secrets/peer.key',
  },
  PROCURA_PEER_CA: {
    schema: path.optional(),
    why: 'the file of who vouches for the other process (PEM)',
    example: '/run/secrets/peer-ca.crt',
  },
  PROCURA_PEER_NAME: {
    schema: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/)
      .optional(),
    why: "the name in the other process' certificate (default: procura-cdp for pdp, procura-pdp for cdp)",
    example: 'procura-pdp',
  },
  PROCURA_WORKERS: {
    schema: z.union([z.literal('auto'), z.coerce.number().int().min(1).max(64)]).default(1),
    why: 'processes that serve; `auto` is one for each core',
    example: 'auto',
  },
} as const satisfies Record<string, Setting>

export type Settings = {
  readonly [Name in keyof typeof SETTINGS]: z.output<(typeof SETTINGS)[Name]['schema']>
}
