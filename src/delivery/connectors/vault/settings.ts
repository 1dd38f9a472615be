/** What is configured of a Vault target. What opens it, a token, a secret id or a JWT, is sealed. */
import { z } from 'zod'

const segment = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/
/** Vault's own: through these a decision could reach its policies, its tokens or another's secrets. */
const NO_ENGINE = ['sys', 'auth', 'identity', 'cubbyhole']

/** `mount/…/role`, plain: there is one way to write it, and no way out of it. */
export function isEnginePath(path: string): boolean {
  const segments = path.split('/')
  const isPlain = segments.every((one) => segment.test(one) && !one.includes('..'))
  const [mount = ''] = segments
  return isPlain && segments.length >= 2 && path.length <= 200 && !NO_ENGINE.includes(mount)
}
const Path = z.string().refine(isEnginePath, 'a plain path of a secrets engine, mount/…/role')

const word = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/)
const words = z.string().regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/)

export const Settings = z
  .strictObject({
    address: z.url({ protocol: /^https?$/ }).refine(isOrigin, 'scheme, host and port only'),
    /** For loopback, and for networks that encrypt by themselves. */
    allow_http: z.boolean().default(false),
    /** PEM of the authority that signed the server's certificate; the system's where it is left out. */
    ca: z.string().optional(),
    namespace: words.optional(),
    auth: z.discriminatedUnion('method', [
      z.strictObject({ method: z.literal('token') }),
      z.strictObject({
        method: z.literal('approle'),
        mount: words.default('approle'),
        role_id: z.string().min(1).max(256),
      }),
      z.strictObject({ method: z.literal('jwt'), mount: words.default('jwt'), role: word }),
    ]),
    /** Which paths a decision may name. */
    paths: z.array(Path).min(1),
    /** What the token of one lease may do: read those paths, and nothing else. */
    policies: z.array(word).min(1),
  })
  .refine(({ address, allow_http }) => allow_http || address.startsWith('https:'), {
    path: ['address'],
    message: 'is not https; say allow_http where the way there is safe',
  })
export type Settings = z.infer<typeof Settings>

export const Permissions = z
  .strictObject({
    path: Path,
    method: z.enum(['read', 'write']),
    data: z.record(word, z.union([z.string(), z.int(), z.boolean()])),
    ttl_field: word.optional(),
    wrap: z.boolean(),
  })
  .refine(
    ({ method, data, ttl_field }) =>
      method === 'write' || (Object.keys(data).length === 0 && ttl_field === undefined),
    'what is read is given no data',
  )
export type Permissions = z.infer<typeof Permissions>

function isOrigin(address: string): boolean {
  const { origin, username, password } = new URL(address)
  return address.replace(/\/$/, '') === origin && username === '' && password === ''
}
